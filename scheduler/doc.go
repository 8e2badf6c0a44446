// Package scheduler decides where executors and drivers run, by the rules of Spark's standalone Master
// (org.apache.spark.deploy.master.Master.schedule): drivers first, then applications in the order of their registration,
// each taking all it may have, without reservation, fairness or preemption.
//
// It is pure: Plan reads one immutable fsm.State and gives an fsm.ApplyPlan, the same one for the same arguments. It has
// no clock, no randomness of its own (the caller hands in a seed) and no memory between two calls, and it never touches a
// record of the state; what a pass has already given away is kept in a private view of free capacity.
//
// What it does not do: it changes nothing (the state machine checks every line of a plan again and carries it out), it
// does not know who is alive (the caller excludes workers that it has doubts about), and it does not choose custom
// resource addresses, only counts them.
//
// A pass runs after every change of a cluster, so it is built to cost what the change costs: it looks at applications
// that want something only, orders the workers once and keeps them ordered while it places, takes as many of them as the
// application can use, and remembers which needs have already failed, since in one pass capacity only shrinks.
package scheduler
