// Package raftnode is one member of a Raft group: its storage, its transport, its leadership and its reads. It replicates
// opaque byte strings (commands) to a [Machine] and knows nothing of Spark, gRPC or gossip.
//
// What it adds to hashicorp/raft:
//
//   - Group commit: commands that arrive while an entry is being written share the next one ([Node.Propose]).
//   - Holding: while there is no leader, a proposal or a linearizable read waits for one instead of failing, and wakes by
//     event. Followers forward through [Forwarder].
//   - A leader lifecycle ([Config.Lead]) whose context dies with the term, and also when the local disk hangs.
//   - The death watch: a leader whose process is gone is replaced in milliseconds instead of after the heartbeat timeout.
//   - The stall gate: a leader whose disk hangs stops its heartbeats, so that the others replace it.
//   - Bootstrap by expectation ([Bootstrapper]): masters started at once, in any order, make one group.
//
// What it does not do: it does not deduplicate commands (the machine does, by a request id inside the command, since
// "leadership lost" means that the outcome is unknown and the same bytes are proposed again), it does not decide who
// should be a member, and it does not authenticate peers.
//
// DESIGN.md in this directory tells the flows and the reasons.
package raftnode
