// Package history records what the clients of a cluster did and saw while faults were done to it, and judges afterwards
// whether one cluster without any fault could have shown them the same: linearizability, checked with porcupine.
//
// Three models, each split by its own key so that a check takes milliseconds:
//
//   - an application, by the name of its driver: it is registered, once, under one id, which every answer repeats; it is
//     active until its driver asked for its end or vanished, and ended for good after that. Reads of any master with
//     ?consistency=linearizable must fit in: what was acknowledged before a read began is in it, and what one read has
//     shown ended no later one shows active.
//   - an executor, by application and id: it is on one worker, started there at most once, running only after it was
//     started, killed only for a reason, and in every read until there is a reason for its end.
//   - a worker's cores, by worker: what its executors hold, by the worker's own account, is never more than it has.
//
// A request without an answer is in the history as one that may or may not have been carried out, at any time later.
//
// It knows nothing of processes and faults; package storm feeds it.
package history
