// Package portshare lets several protocols share one TCP port where the first byte that a client sends tells them apart:
// HTTP and Spark's RPC on 7077, gRPC and Raft on 7078. It knows no protocol: who uses it says which byte goes where. It is
// of no use for protocols in which the server speaks first.
package portshare
