// Package wire is Spark's Netty transport as bytes on a TCP connection: frames (org.apache.spark.network.protocol) and the
// RPC envelopes inside them (org.apache.spark.rpc.netty.RequestMessage). Both sides of a connection may ask at any time.
//
// It bounds what a peer can make us hold (frame size, asks under way, messages not yet served) and tells HTTP from RPC by
// the first bytes of a connection, so that both can share a port. It asks a driver's file server for a file (RequestStream),
// on a connection for it alone; it serves none. What the payloads mean is package rpcenv's and
// messages' matter; authentication and encryption are not spoken and are refused in plain text.
package wire
