package membership

import (
	"fmt"
	"net"

	"github.com/fxamacker/cbor/v2"
	"github.com/hashicorp/memberlist"
)

// The library keeps suspicion to itself: no callback, no exported state. But it asks DisableTcpPingsForNode, by name, in one
// place: when a member has not answered a probe, before others are asked to try. So a member knows at once whom it missed,
// and tells the masters, in a packet to each. It is a hint, of one lost packet perhaps: whoever gets it asks the member.

// missed is the message: the sender's probe of a life of a member was not answered. Keys are for ever.
type missed struct {
	Kind uint8  `cbor:"1,keyasint"` // missedKind; another one is of a later release
	Name string `cbor:"2,keyasint"` // the library's name of the life
}

const (
	missedKind = 1
	// maxMissed bounds a message, in bytes, and maxHints the hints that wait to be delivered.
	maxMissed = 512
	maxHints  = 1024
)

func decodeMissed(data []byte) (name string, err error) {
	if len(data) > maxMissed {
		return "", fmt.Errorf("%w: a message of %d bytes", ErrMeta, len(data))
	}
	var m missed
	if err := metaDecoding.Unmarshal(data, &m); err != nil {
		return "", fmt.Errorf("%w: %w", ErrMeta, err)
	}
	if m.Kind != missedKind {
		return "", fmt.Errorf("%w: a message of kind %d", ErrMeta, m.Kind)
	}
	return m.Name, nil
}

// probeFailed is the library's question whether it should try TCP too: it should.
func (g *Gossip) probeFailed(name string) (no bool) {
	select {
	case <-g.started:
	default:
		return false
	}
	g.table.hint(name)
	data, err := cbor.Marshal(missed{Kind: missedKind, Name: name})
	if err != nil {
		return false // a name is a string
	}
	for life, addr := range g.table.masters() {
		if life != name {
			// A packet that is lost is no loss: the next probe comes soon.
			_ = g.list.SendToAddress(memberlist.Address{Addr: addr, Name: life}, data)
		}
	}
	return false
}

// NotifyMsg implements memberlist.Delegate: another member has missed one.
func (d delegate) NotifyMsg(data []byte) {
	if name, err := decodeMissed(data); err == nil {
		d.g.table.hint(name)
	}
}

// hint queues that somebody has missed a member.
func (t *table) hint(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	m, known := t.lives[name]
	if newest, ok := t.current(m.ID); !known || name == t.self || !ok || newest != m || len(t.queue) >= maxHints {
		return
	}
	t.queue = append(t.queue, Event{Suspected, m})
	signal(t.wake)
}

// masters are the addresses of the other masters' lives.
func (t *table) masters() map[string]string {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := map[string]string{}
	for name, m := range t.lives {
		if _, _, err := net.SplitHostPort(m.Addr); m.Role == RoleMaster && name != t.self && err == nil {
			out[name] = m.Addr
		}
	}
	return out
}
