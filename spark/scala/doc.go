// Package scala reads and writes the Scala values inside Java object streams: Option, the collections, Enumeration
// values, singleton objects, boxed primitives, exceptions.
//
// Scala 2.12 and 2.13 write nearly all of them differently, and a field's static type does not tell how a value was
// written (a Seq may come as a List, a Vector, an ArrayBuffer, an ArraySeq...). The reading functions take every form of
// both. Writer writes one form that receivers of its Dialect accept: List for every Seq, the small Maps, and so on.
//
// A few collections are not read, which no Spark message was seen to hold: the wrappers of Java collections, Queue,
// ListMap, TreeMap and mutable.HashSet of 2.12, Stream of 2.13. They answer ErrType.
//
// Not here: class tables (a Dialect provides them; package releases has one per Spark build) and Spark's own classes
// (package messages).
package scala
