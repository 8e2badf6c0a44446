// Package storm does faults to a cluster of real processes while it works, and judges it: scripts/chaos.
//
// A run is made of
//
//   - a cluster of three masters and some workers, each a process, on hosts of a network of their own where that is possible
//     (package netns), else on loopback;
//   - load: simulated drivers that register at all masters, get executors on simulated JVM workers, and end or vanish; and
//     real Spark jobs of two releases on the real workers;
//   - readers that ask every master for linearizable reads and for digests all the time;
//   - a schedule of faults, drawn from a seed: who is struck is decided when it happens ("the leader"), everything else
//     by the seed;
//   - a judgement, once all is healed and quiet: histories (package history), digests at equal index, the books of all
//     masters against the workers' own, processes that have no owner, the jobs' results.
//
// The same seed gives the same faults at the same distances; what the processes do in between is theirs, so a failure
// comes back with its seed often, not always.
package storm
