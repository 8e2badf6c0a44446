package wire

import (
	"io"
	"testing"
	"testing/synctest"
)

// A handler that is stuck stops the reading after so many messages, and reading goes on with it.
func TestAPeerIsHeldBackByNumber(t *testing.T) {
	t.Parallel()
	heldBack(t, Config{}, oneWayFrame(Envelope{Endpoint: "x"}), queued+2) // one being served, one in the reader's hand
}

func TestAPeerIsHeldBackByBytes(t *testing.T) {
	t.Parallel()
	// Each frame takes almost half of what may wait, so the third is the one in the reader's hand.
	heldBack(t, Config{MaxFrame: 100_000}, oneWayFrame(Envelope{Endpoint: "x", Payload: make([]byte, 49_000)}), 3)
}

func heldBack(t *testing.T, cfg Config, frame []byte, most int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		served := 0
		cfg.Handler = funcs{send: func(*Conn, Envelope) { <-release; served++ }}
		c, peer := piped(t, cfg)
		const all = queued + 50
		taken := 0
		go func() {
			for range all {
				if _, err := peer.Write(frame); err != nil {
					return
				}
				taken++
			}
			peer.Close()
		}()
		synctest.Wait()
		if taken < most || taken > most+1 { // bufio may have taken a small one more
			if held := (taken - most) * len(frame); taken < most || held > 4096 {
				t.Errorf("%d frames were taken while the handler was stuck, want %d", taken, most)
			}
		}
		close(release)
		<-c.Done()
		synctest.Wait()
		if served != all {
			t.Errorf("%d of %d were served", served, all)
		}
	})
}

// Answers are not requests: they come through while the handler is stuck.
func TestAnswersPassAStuckHandler(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	c, peer := piped(t, Config{Handler: funcs{send: func(*Conn, Envelope) { <-release }}})
	defer close(release)
	for range 20 {
		mustWrite(t, peer, oneWayFrame(sample))
	}
	go func() {
		f := readRaw(t, peer)
		mustWrite(t, peer, responseFrame(f.id, []byte("yes")))
	}()
	if got, err := c.Ask(soon(t), sample); err != nil || string(got) != "yes" {
		t.Errorf("got %q, %v", got, err)
	}
}

// The end of a connection frees a reader that waits for room.
func TestCloseFreesAFullInbox(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		c, peer := piped(t, Config{MaxFrame: 1000, Handler: funcs{send: func(c *Conn, _ Envelope) { <-c.Done(); <-release }}})
		go func() {
			frame := oneWayFrame(Envelope{Endpoint: "x", Payload: make([]byte, 600)})
			for {
				if _, err := peer.Write(frame); err != nil {
					return
				}
			}
		}()
		synctest.Wait()
		c.Close()
		synctest.Wait()
		if _, open := <-c.inbox.frames; open {
			t.Error("the reader goes on")
		}
		close(release)
		_, _ = io.Copy(io.Discard, peer)
	})
}
