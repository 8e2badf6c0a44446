package master

import (
	"sync"

	"github.com/firesteel/firesteel/spark/rpcenv"
	"github.com/firesteel/firesteel/spark/wire"
)

// peers are the Spark peers that have a connection open with this master, by the address they announce. A driver or JVM
// worker that opened one is spoken to over it, so a master need not be able to reach it (one-way firewalls).
type peers struct {
	mu     sync.Mutex
	byAddr map[wire.Address]*rpcenv.Peer
	relay  map[*rpcenv.Peer]bool // those that the leader speaks to through this master
}

func newPeers() *peers {
	return &peers{byAddr: map[wire.Address]*rpcenv.Peer{}, relay: map[*rpcenv.Peer]bool{}}
}

// note records the connection that a peer spoke on last.
func (p *peers) note(peer *rpcenv.Peer) {
	addr := peer.Address()
	if addr.IsZero() {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !closed(peer.Done()) { // its last messages are served late, when it may have come back on another connection
		p.byAddr[addr] = peer
	}
}

// forget removes a connection that has ended, unless a newer one has taken its place. relayed tells whether the leader
// has used it.
func (p *peers) forget(peer *rpcenv.Peer) (relayed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	relayed = p.relay[peer]
	delete(p.relay, peer)
	if addr := peer.Address(); p.byAddr[addr] == peer {
		delete(p.byAddr, addr)
	}
	return relayed
}

// findForRelay is find for a leader that speaks to the peer through this master, and has to be told when it is gone.
func (p *peers) findForRelay(addr wire.Address) (*rpcenv.Peer, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	peer, ok := p.byAddr[addr]
	if ok {
		p.relay[peer] = true
	}
	return peer, ok
}

// find gives the open connection of a peer.
func (p *peers) find(addr wire.Address) (*rpcenv.Peer, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	peer, ok := p.byAddr[addr]
	return peer, ok
}
