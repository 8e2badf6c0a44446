package fsm

import (
	"fmt"
	"testing"
)

// A retry carries the request id of the first try: it changes nothing and is given the first answer.
func TestRequestIDs(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.worker("w")
	submit := &SubmitDriver{Driver: Driver{Cores: 1, MemoryMB: 1}, ID: driverIDs}
	var first, retry, other DriverSubmittedResult
	if err := h.request("r1", submit, &first); err != nil {
		t.Fatal(err)
	}
	before := h.m.State().withoutPosition()
	if err := h.request("r1", submit, &retry); err != nil {
		t.Fatal(err)
	}
	if retry != first || h.m.State().withoutPosition() != before {
		t.Errorf("the retry made %v, the first try %v", retry, first)
	}
	if err := h.request("r2", submit, &other); err != nil || other == first {
		t.Errorf("another request: %v, %v", other, err)
	}
	// A refusal is an answer too, even where it would be another one by now.
	kill := &KillDriver{ID: "driver-0002"}
	if err := h.request("r3", kill, nil); RefusalCode(err) != CodeUnknownDriver {
		t.Fatal(err)
	}
	h.driver()
	if err := h.request("r3", kill, nil); RefusalCode(err) != CodeUnknownDriver {
		t.Errorf("the retry of a refused request: %v", err)
	}
	if err := h.restored().request("r1", submit, &retry); err != nil || retry != first {
		t.Errorf("after a restore: %v, %v", retry, err)
	}
}

// Retries within one log entry are found too.
func TestRequestIDsInOneEntry(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	b := Encode(&SubmitDriver{Driver: Driver{Cores: 1, MemoryMB: 1}, ID: driverIDs}, "r")
	res := h.m.Apply(1, 1, [][]byte{b, b})
	if string(res[0]) != string(res[1]) || h.m.State().DriverCount() != 1 {
		t.Errorf("%d drivers of one request", h.m.State().DriverCount())
	}
}

func TestRequestsAreBounded(t *testing.T) {
	t.Parallel()
	m := New(Config{Fatal: func(err error) { t.Fatal(err) }})
	var batch [][]byte
	for i := range keptRequests + 10 {
		batch = append(batch, Encode(&KillDriver{ID: "none"}, fmt.Sprint("r", i)))
	}
	m.Apply(1, 1, batch)
	s := m.State()
	if len(s.requests) != keptRequests || len(m.answered) != keptRequests {
		t.Fatalf("%d requests, %d to be found; want %d", len(s.requests), len(m.answered), keptRequests)
	}
	for id, want := range map[string]bool{"r9": false, "r10": true, fmt.Sprint("r", keptRequests+9): true} {
		x := s.begin()
		x.answered = m.answered
		if _, ok := x.answer(id); ok != want {
			t.Errorf("request %s remembered: %v", id, ok)
		}
	}
}

// States share the memory of what they remember; none must see what a later one does.
func TestEarlierStatesRememberWhatTheyDid(t *testing.T) {
	t.Parallel()
	m := New(Config{Fatal: func(err error) { t.Fatal(err) }})
	var states []*State
	var digests []string
	for i := range uint64(50) {
		var batch [][]byte
		for j := range i {
			batch = append(batch, Encode(&KillDriver{ID: "none"}, fmt.Sprintf("r%d-%d", i, j)))
		}
		m.Apply(i+1, 1, batch)
		states, digests = append(states, m.State()), append(digests, m.State().Digest())
	}
	for i, s := range states {
		if s.Digest() != digests[i] {
			t.Fatalf("the state at index %d has changed", s.Index())
		}
	}
}
