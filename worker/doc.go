// Package worker is the node side of Firesteel: it runs unmodified Spark
// executors, supervises their processes, keeps their work and scratch
// directories, and serves the worker's web pages.
//
// The parts: [Executors] owns every executor of this worker and promises that
// an executor id is never launched twice and that each one ends in exactly one
// final [Report]; [BuildCommand] makes the command line and environment that
// Spark's own Worker would make; [Spawner] starts processes so that none
// outlives the worker; [Homes] finds the Spark installation that fits an
// application; [UI] serves /json/, /logPage/ and /log/.
//
// It decides nothing about placement: what should run is the master's word,
// brought by the session (agent*.go), which compares it with [Executors.List].
// It is written for Linux: process groups, sessions and parent death signals.
package worker
