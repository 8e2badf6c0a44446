// Package puppet is a cluster-mode driver that does what an experiment tells it, and shows how long it lives.
//
// A [Stage] listens on a Unix socket in the run's directory. Every life of a puppet, which is one process, connects to it
// first thing, says who it is, and obeys lines from then on. The kernel closes the connection when the process ends, however
// that comes about, and a socket in the file system is reached from every network namespace: so the stage sees when each
// life began and was over, also of those that are cut off, and never two at a time go unseen ([Stage.Twice]).
//
// There are two kinds of puppets with the same lines. [JavaHome] makes a Java of which every program is one: it is our own
// binary, costs milliseconds, and is what most faults are done with. Package chaos/spark compiles the other, which is a Java
// program under an unmodified DriverWrapper of a Spark release and can have an application (spark.DriverJar).
package puppet
