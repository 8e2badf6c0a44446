// Package lease is the rule that keeps a supervised driver from living twice: both its sides, so that they are read, and
// changed, together.
//
// A worker ends its supervised drivers when no leader has acknowledged, for the term of its [Lease], a heartbeat that it sent
// within that term; by then, and a grace for the kill, none of them is alive. It tells the sum in its Hello: the promise. A
// leader acknowledges a heartbeat only after a majority has confirmed, after the heartbeat came, that it leads. So whoever
// leads later began after that, and when it loses the worker it waits for [Hold] of the promise before it launches the
// drivers elsewhere.
//
// What is assumed of clocks: no two have to agree, and none is compared with another one. A leader's monotonic clock may run
// faster than a worker's by a tenth. While a machine is suspended the worker's clock may stand still; its guardian (worker/guard)
// counts by one that goes on. A virtual machine that is restored from an image of before is noticed by no clock of its own.
package lease
