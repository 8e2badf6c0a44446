// Package load puts a master under load over spark://, Spark's own or ours: simulated workers that run nothing and report
// all the same, and applications that register, are given one executor, and unregister. It knows the protocol from our
// own packages, so what it proves is speed; that real Spark understands us is proved with real Spark.
package load
