// Package rpcenv is a Spark RPC environment (org.apache.spark.rpc.netty.NettyRpcEnv) with typed messages: endpoints by
// name, the endpoint verifier, and peers in both directions. Each peer is spoken to in the dialect of its own Scala and
// Spark build, which is seen from its first message, or known from what it registered with earlier.
//
// A ref in a message is bound by its receiver to the connection it came on. So what a peer sends to a ref that it got
// from us comes back on the same connection, whatever address the ref names.
package rpcenv
