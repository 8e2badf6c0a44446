// Package javaser reads and writes Java object streams (Java Object Serialization, protocol version 2) as plain trees.
//
// Spark's RPC carries every message as one such stream. Decode turns a stream into a Value tree without knowing any
// class: what a class looks like is in the stream itself. Encode is the reverse. A decoded tree can be embedded in
// another message and is written back with the class descriptors it came with, so values that nobody here understands
// (a ResourceProfile of an unknown Spark build) pass through unharmed.
//
// Input is hostile: it comes from whoever opens a TCP connection. Decode never panics, never recurses past
// Limits.MaxDepth, and never allocates more than a small multiple of what it has left to read or what Limits allow.
//
// Not here: what the trees mean (package scala, package messages), class tables (package releases), dynamic proxies,
// TC_EXCEPTION, and stream protocol version 1. Those answer ErrUnsupported.
package javaser
