// Package virtual is the proof in virtual time: whole quorums of masters, of three and of five, under thousands of seeded
// faults within a minute (see [testing/synctest]). It holds tests only.
//
// Real are raftnode, hashicorp/raft, the state machine (package fsm) and the scheduler. Simulated are the network (delays,
// cuts of one direction or both, messages that arrive after their sender has given up), the disks (a write takes time and
// is durable at one moment of it; what was not durable is gone after a crash), the clients with request ids, and the
// workers with what they run. There are no Spark, gRPC, gossip or TLS here; chaos/e2e has those.
//
//   - disk_test.go, network_test.go: what breaks. master_test.go: one master on them, its crash and its freezing.
//   - cluster_test.go: the quorum. clients_test.go: its load. faults_test.go: the plan of faults that a seed stands for.
//   - drivers_test.go: workers with sessions, and drivers that must never have two live runs, under faults of workers and masters;
//     the rule of the lease is the real one (internal/lease). drivers_exact_test.go: courses of events that chance seldom draws.
//     drivers_duty_test.go: a leader's part, drivers_keeper_test.go: a worker's, drivers_link_test.go: what lies between.
//   - ledger_test.go: the checks. virtual_test.go: the tests. sabotage_test.go: broken machines, disks and reads, each of
//     which the checks must catch.
//
// A seed decides the plan: kinds, victims, durations, order. It does not decide how goroutines are interleaved, nor raft's
// own random timeouts, so a failing seed may have to be run more than once (-count) to fail again.
package virtual
