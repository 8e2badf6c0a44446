package portshare

import (
	"bytes"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// FuzzSplit: a connection goes to the branch of its first byte, with every byte of it, or is closed.
func FuzzSplit(f *testing.F) {
	f.Add([]byte("a"))
	f.Add([]byte("bcd"))
	f.Add([]byte{0, 0xFF})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		q := newQueue()
		branches := Split(Config{Listener: q, Branches: 2, Silence: silence, Handover: handover, Choose: func(first byte) int { return int(first) - 'a' }})
		got := make([][]byte, 2)
		var readers sync.WaitGroup
		for i, l := range branches {
			readers.Go(func() {
				c, err := l.Accept()
				if err != nil {
					return
				}
				got[i], _ = io.ReadAll(c)
				_ = c.Close()
			})
		}
		client := q.dial()
		_ = client.SetWriteDeadline(time.Now().Add(silence))
		_, err := client.Write(b)
		_ = client.Close()
		own := len(b) > 0 && (b[0] == 'a' || b[0] == 'b')
		if own && err != nil {
			t.Errorf("%q is not taken: %v", b, err)
		}
		if !own {
			closeAll(branches)
		}
		if own {
			// The other branch waits until it is closed, the own one until all is read.
			closeBranch := branches[1-(int(b[0])-'a')]
			_ = closeBranch.Close()
		}
		readers.Wait()
		closeAll(branches)
		for i := range got {
			if want := own && int(b[0])-'a' == i; want && !bytes.Equal(got[i], b) || !want && got[i] != nil {
				t.Errorf("%q: branch %d has %q", b, i, got[i])
			}
		}
	})
}

func closeAll(branches []net.Listener) {
	for _, l := range branches {
		_ = l.Close()
	}
}
