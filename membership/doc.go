// Package membership tells who seems alive, by gossip (hashicorp/memberlist). It deals in facts of the kind "this process
// said so" and "nobody could reach it": never in verdicts. The leader asks a second time before it calls a worker lost, and
// Raft alone decides who is a master.
//
// It carries 512 bytes of metadata per member ([Meta]): role, names, ports, and what a bootstrap needs to know. Whoever
// holds the gossip key can say anything here, so nothing may be authorised by it.
//
// A member is alive until gossip has given it up ([Failed]) or it said goodbye ([Left]). [Suspected] says that somebody has
// missed it, once: a hint to ask it.
//
// DESIGN.md in this directory tells the reasons.
package membership
