// Package releases knows the Spark releases that Firesteel talks to: which serialVersionUIDs their message classes have
// (Table), how to tell from a message which release sent it (ByCheckExistence, Identify, VersionHint) and how to ask a peer
// for it (Table.Question), what applications and workers are matched by (Label), and which installed Spark an application
// can run on (InspectHome, Match).
//
// Spark declares no serialVersionUID on its deploy messages, so the JVM computes one from each class's shape and
// refuses a message whose number differs. There is no other version field in the protocol. Two things move those
// numbers: the Scala version (nearly all of them), and a method more in a class (RpcEndpointRef, ResourceProfile). See Build.
//
// The tables under tables/ are computed by package classfile from the released jars and are never edited by hand.
//
// # To add a Spark release
//
// Unpack it, or install its pyspark package, and run from the top of the repository
//
//	go run ./spark/releases/gentables --home SPARK_HOME
//
// The command adds the release to the table that it equals, or writes a new table and says what is new in it. Then run
//
//	FIRESTEEL_SPARK_HOMES=SPARK_HOME go test ./spark/releases/
//
// which computes the table again and compares. A new build needs a look at what changed: a class that only travels
// through us (see passedOn) is harmless, a changed message or field is work for package messages.
//
// It is not a description of the messages' meaning (package messages) nor of Scala's collections (package scala).
package releases
