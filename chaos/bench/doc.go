// Package bench measures what Firesteel promises, with real processes, and prints a table of goals and figures over
// enough runs: machines are noisy, so nothing of it is a timed test. Where something is compared with Spark's own Master,
// that is started in the same run, on the same machine, under the same load client.
//
// A [Row] is one thing to measure, with its goal; [All] is the table. [Bench.Run] runs rows one after the other, each with
// a run of processes of its own and a time limit: a row that fails is reported as failed, and the others go on.
//
// It judges nothing: a goal that is missed is a figure like any other. What must hold is tested in package e2e.
package bench
