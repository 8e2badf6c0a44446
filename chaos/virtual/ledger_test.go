package virtual

import (
	"fmt"
	"hash/maphash"
	"sync"
	"time"

	"github.com/firesteel/firesteel/fsm"
)

// digestEvery is how often, in log entries, a whole state is hashed on every master.
const digestEvery = 128

// ledger holds what all masters and clients have seen against one another.
type ledger struct {
	seed  maphash.Seed
	begin time.Time

	mu         sync.Mutex
	violations []violation
	during     string            // the rounds under way
	leaders    map[uint64]string // by term
	ledTerm    uint64            // newest whose leader was ready
	led        chan struct{}     // closes when that grows
	entries    map[uint64]entry
	digests    map[uint64]mark
	answers    map[string]string // request id -> first result
	acks       map[string]uint64 // request id -> log index
	floor      uint64            // every linearizable read from now on shows at least this index
	repeats    int               // requests that came through the log again
	restores   int
	reads      int
}

type violation struct{ kind, text string }

type entry struct {
	sum uint64
	by  string
}

type mark struct{ digest, by string }

func newLedger() *ledger {
	return &ledger{
		seed: maphash.MakeSeed(), begin: time.Now(), leaders: map[uint64]string{}, led: make(chan struct{}),
		entries: map[uint64]entry{}, digests: map[uint64]mark{}, answers: map[string]string{}, acks: map[string]uint64{},
	}
}

// violate notes a broken promise. The kinds are what sabotage_test.go asks for.
func (l *ledger) violate(kind, format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.add(kind, format, args...)
}

func (l *ledger) add(kind, format string, args ...any) {
	if len(l.violations) < 20 {
		text := fmt.Sprintf(format, args...)
		l.violations = append(l.violations, violation{kind, fmt.Sprintf("%s after %s, %s: %s", kind, time.Since(l.begin).Round(time.Millisecond), l.during, text)})
	}
}

// round notes what happens now.
func (l *ledger) round(i int, fault string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.during = fmt.Sprintf("round %d (%s)", i, fault)
}

func (l *ledger) broken() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.violations) > 0
}

// claims checks that a term has one leader: whoever sends entries, heartbeats or snapshots of a term leads it.
func (l *ledger) claims(id string, term uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if before, ok := l.leaders[term]; ok && before != id {
		l.add("two leaders", "term %d is led by %s and by %s", term, before, id)
		return
	}
	l.leaders[term] = id
}

// leads notes that a leader is ready: its barrier has passed.
func (l *ledger) leads(id string, term uint64) {
	l.claims(id, term)
	l.mu.Lock()
	defer l.mu.Unlock()
	if term > l.ledTerm {
		l.ledTerm = term
		close(l.led)
		l.led = make(chan struct{})
	}
}

// watch gives a channel that closes when a newer term is led.
func (l *ledger) watch() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.led
}

// applied checks that an index holds the same commands with the same results on every master, and that a request which
// comes again is answered as it was.
func (l *ledger) applied(by string, index uint64, cmds, results [][]byte) {
	var h maphash.Hash
	h.SetSeed(l.seed)
	for i := range cmds {
		_, _ = h.Write(cmds[i])
		_, _ = h.Write(results[i])
	}
	sum := h.Sum64()
	l.mu.Lock()
	defer l.mu.Unlock()
	if first, ok := l.entries[index]; ok {
		if first.sum != sum {
			l.add("diverged", "entry %d is not the same on %s and %s", index, first.by, by)
		}
		return
	}
	l.entries[index] = entry{sum, by}
	for i, cmd := range cmds {
		id := requestID(cmd)
		if id == "" {
			continue
		}
		if first, ok := l.answers[id]; !ok {
			l.answers[id] = string(results[i])
		} else if l.repeats++; first != string(results[i]) {
			l.add("applied twice", "request %s is answered %x at entry %d; the first time %x", id, results[i], index, first)
		}
	}
}

// requestID is that of an encoded command (fsm.Encode): a length in its fourth byte, then the id.
func requestID(cmd []byte) string {
	if len(cmd) < 4 || len(cmd) < 4+int(cmd[3]) {
		return ""
	}
	return string(cmd[4 : 4+int(cmd[3])])
}

// digest checks that equal indexes have equal states.
func (l *ledger) digest(by string, s *fsm.State) {
	index, digest := s.Index(), s.Digest()
	l.mu.Lock()
	defer l.mu.Unlock()
	if first, ok := l.digests[index]; !ok {
		l.digests[index] = mark{digest, by}
	} else if first.digest != digest {
		l.add("diverged", "the states of %s and %s at index %d differ", first.by, by, index)
	}
}

func (l *ledger) restored(by string, s *fsm.State) {
	l.digest(by, s)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.restores++
}

// acknowledged checks an answer that a client was given, and holds all later reads to it.
func (l *ledger) acknowledged(request string, index uint64, result []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if first, ok := l.answers[request]; !ok {
		l.add("lost", "request %s is acknowledged at entry %d and no master has applied it", request, index)
	} else if first != string(result) {
		l.add("applied twice", "request %s is acknowledged with %x; applied it was with %x", request, result, first)
	}
	l.acks[request] = index
	l.floor = max(l.floor, index)
}

// beginRead gives the index that a linearizable read which begins now must show.
func (l *ledger) beginRead() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.floor
}

// endRead checks a read that was to show floor, and holds all later ones to what it showed.
func (l *ledger) endRead(by string, floor uint64, s *fsm.State) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reads++
	if s.Index() < floor {
		l.add("stale read", "%s shows index %d; index %d was acknowledged or read before", by, s.Index(), floor)
	}
	l.floor = max(l.floor, s.Index())
}
