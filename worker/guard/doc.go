// Package guard sees to it that nothing a worker started outlives the worker, whoever is killed by SIGKILL, and that a
// supervised driver does not outlive the worker's lease.
//
// The parts: a [Mark] in the environment of every child names the worker's life and the child; all of a child's
// descendants inherit it, whatever session or process group they move to, so [Kin] finds them without any trust in
// process ids. The guardian is a process of its own (the worker's own binary, started again; see [Guard]) that holds the
// other end of a pipe: when the pipe breaks, the worker is dead, and everything with its mark is killed; when the lease
// passes (the worker is frozen), the supervised children are. [Sweep] is for what was left when worker and guardian
// were both killed: the next worker of the same directory kills by the records and the marks of the earlier life.
//
// What it cannot reach: a descendant that wiped its environment, left its session and lost its parents; one of another
// user. It starts no children of the worker and knows nothing of drivers and executors. Linux only.
//
// Clocks: a lease is an [Instant] of CLOCK_BOOTTIME, which worker and guardian share, which runs while the machine is
// suspended and which nobody sets. A virtual machine that its host stops is not suspended in this sense: its clocks
// stop with it, and a lease that passed meanwhile is noticed only by whoever asks the masters again.
package guard
