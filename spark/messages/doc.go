// Package messages has the messages of Spark's standalone deploy protocol (org.apache.spark.deploy.DeployMessages) as Go
// structs, each to be decoded and encoded: what masters, workers, drivers and submission clients say to each other.
//
// Releases differ in the serialVersionUIDs of their classes and in how Scala writes collections, never in the meaning of
// a field. So decoding needs no dialect, while encoding takes an Env: the class table of the peer's build, and the
// peer's own endpoint ref as the template of ours (RpcEndpointRef differs between builds that are alike in all else).
//
// Descriptions of applications and drivers also keep the tree they came as: embedded in LaunchExecutor or LaunchDriver,
// or stored and sent years later by another master, they are exactly what the submitter wrote.
//
// Not here: frames, envelopes and connections (package wire), class tables (package releases), and what to do about a
// message.
package messages
