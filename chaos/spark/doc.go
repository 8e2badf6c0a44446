// Package spark finds installed Spark releases and runs jobs of theirs as a user would: unmodified spark-submit or
// python, in client mode, in processes of their own. It also makes the environment in which Spark's own Master and
// Worker are started.
//
// The jobs are Python programs in jobs/, embedded. Each checks its own result and prints one line,
//
//	RESULT ok ...     or     RESULT wrong ...
//
// and lines about its progress, which are the events that faults are timed to. A job may be told to go on by a line
// over a loopback connection (Job.Tell): spark-submit does not pass its standard input to Python.
package spark
