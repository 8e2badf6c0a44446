// Package worker is the node side of Firesteel: it runs unmodified Spark
// executors, supervises their processes, keeps their work and scratch
// directories, and serves the worker's web pages.
//
// The parts: [Executors] owns every executor of this worker and promises that
// an executor id is never launched twice and that each one ends in exactly one
// final [Report]; [BuildCommand] makes the command line and environment that
// Spark's own Worker would make; [Spawner] starts processes so that none
// outlives the worker; [Homes] finds the Spark installation that fits an
// application; package fetch brings drivers' files; [ShuffleService] runs
// Spark's own external shuffle service in a process beside; [UI] serves
// /json/, /logPage/ and /log/.
//
// Nothing outlives what it belongs to. A process takes its descendants along,
// found by a mark in their environment; package guard's guardian ends the rest
// when the worker is killed, and the next worker of the work directory when
// both are (upkeep.go). Package workdir keeps, in files, which directories
// workers have made and who uses them; the cleaner (cleanup.go) deletes by that
// and nothing else: programs soon after the end, all by age, and earlier when
// the disk is nearly full. docs/worker-settings.md says what a worker can be
// told.
//
// It decides nothing about placement: what should run is the master's word,
// brought by the session (agent*.go), which compares it with [Executors.List];
// only to be drained may a worker wish itself ([Worker.Decommission]).
// It is written for Linux: process groups, sessions and parent death signals.
package worker
