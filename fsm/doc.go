// Package fsm is the replicated truth of a Firesteel cluster: workers, applications with their resource profiles and
// executors, drivers, waiting queues, the rings of what has completed, and the results of recent requests.
//
// It is pure. Apply(command) gives a new state, a result and events, and the same commands in the same order give the
// same state on every master: there is no clock, no randomness, no I/O and no goroutine in here. A command carries its
// time, its settings and its ids (law 1 of DESIGN.md). A refusal is a typed result; a command that cannot be decoded or
// is not known means that this binary must not go on, and is handed to Config.Fatal (laws 2 and 3).
//
// State is an immutable tree: a reader takes the current *State without a lock and keeps it as long as it likes, and a
// snapshot is nothing more than such a handle.
//
// What it does not do: it never decides where something runs (package scheduler plans, ApplyPlan checks), never talks to
// anybody (package master does, driven by the events), and never learns that somebody is silent (liveness is not replicated).
package fsm
