package rpcenv

import "github.com/firesteel/firesteel/spark/messages"

// Endpoint takes the messages for one endpoint name. Calls for one peer come in the order of the wire, one at a time.
type Endpoint interface {
	// Receive takes a one-way message.
	Receive(p *Peer, m messages.Message)
	// ReceiveAndReply answers an ask. An error is given to the peer as text (a failure frame).
	ReceiveAndReply(p *Peer, m messages.Message) (messages.Message, error)
}

// Watcher is an Endpoint that wants to know when a peer's connection ends.
type Watcher interface {
	Disconnected(p *Peer, err error)
}

// Verifier is the name of the endpoint that every environment has (RpcEndpointVerifier).
const Verifier = "endpoint-verifier"
