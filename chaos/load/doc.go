// Package load puts a master under load, Spark's own or ours, over spark:// and REST: simulated workers that run nothing and
// report all the same; applications that register, are given one executor, and unregister; drivers of cluster mode that are
// submitted, and questions after them. It knows the protocols from our own packages, so what it proves is speed; that real
// Spark understands us is proved with real Spark.
package load
