// Package master is a master process: it owns the Raft member, the doors (Spark's RPC, HTTP, gRPC) and the duties of a
// leader.
//
// Every door of every master takes every request and turns it into one command, which goes to the leader's log
// (door.go, sessions.go). The duties (duties.go) live inside one term: schedule plans placements, dispatch keeps what
// workers run equal to what the state says they should and tells workers whether they are drained, notify tells drivers, liveness judges workers. They follow the
// state machine's events, so a new leader needs no recovery phase: it starts from the state and goes on as any leader does.
package master
