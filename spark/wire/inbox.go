package wire

import "sync/atomic"

// inbox holds what one peer has sent and nobody has served yet. It has one reader of the wire, who puts, and one server,
// who ranges over frames and tells of each frame that it has dealt with.
type inbox struct {
	frames chan frame
	max    int64         // bytes
	held   atomic.Int64  // bytes in frames, and in the one that is being served
	room   chan struct{} // a token says that held has shrunk
}

func newInbox(frames int, bytes int64) *inbox {
	return &inbox{frames: make(chan frame, frames), max: bytes, room: make(chan struct{}, 1)}
}

// put waits for room, of which an empty inbox always has enough; false where done is closed before there is any.
func (b *inbox) put(f frame, done <-chan struct{}) bool {
	size := f.size()
	for held := b.held.Load(); held > 0 && held+size > b.max; held = b.held.Load() {
		select {
		case <-b.room:
		case <-done:
			return false
		}
	}
	b.held.Add(size)
	select {
	case b.frames <- f:
		return true
	case <-done:
		return false
	}
}

func (b *inbox) served(f frame) {
	b.held.Add(-f.size())
	select {
	case b.room <- struct{}{}:
	default:
	}
}

// close lets the server end when it has served what is there.
func (b *inbox) close() { close(b.frames) }

func (f frame) size() int64 { return int64(len(f.text) + len(f.body)) }
