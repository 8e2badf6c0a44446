// Package rpc is the gRPC of a Firesteel cluster: what masters do for each other (forwarding of commands, read indexes,
// bootstrap promises, relays to Spark peers), and the sessions of Go workers. It knows the protos and the network, and
// nothing of Raft or Spark: what to do is behind the small interfaces that a server is given.
//
// Every call carries a deadline. A call that fails with UNAVAILABLE may have been carried out; callers retry with the
// same bytes, since commands carry a request id that the state machine remembers.
package rpc
