package rpc

import (
	"net"
	"time"

	"github.com/firesteel/firesteel/internal/portshare"
)

const (
	firstByteTimeout = 10 * time.Second
	handoverTimeout  = 10 * time.Second
)

// Share splits a listener by the first byte of each connection: HTTP/2, which gRPC speaks, begins with "PRI", Raft's
// streams with 'R' or 'W'. So masters need one open port for each other, not two. The listener closes with the last of
// the two, which waits for connections that have not said yet what they are.
func Share(ln net.Listener) (grpc, raft net.Listener) {
	branches := portshare.Split(portshare.Config{
		Listener: ln, Branches: 2, Silence: firstByteTimeout, Handover: handoverTimeout,
		Choose: func(first byte) int {
			if first == 'R' || first == 'W' {
				return 1
			}
			return 0
		},
	})
	return branches[0], branches[1]
}
