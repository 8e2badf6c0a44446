package virtual

import (
	"bytes"
	"testing"
	"time"

	"github.com/firesteel/firesteel/raftnode"
)

// TestSabotage breaks one thing at a time, each of which a check must catch: a check that cannot fail proves nothing.
func TestSabotage(t *testing.T) {
	for _, s := range []struct {
		name   string
		caught string // the kind of violation, see ledger.violate
		cfg    config
	}{
		{"requests are not remembered", "applied twice", config{sabotage: machines(func(string) change { return forgetful })}},
		{"a command is carried out twice", "applied twice", config{sabotage: machines(func(string) change { return double })}},
		{"a command is dropped everywhere", "lost", config{sabotage: machines(func(string) change { return dropped })}},
		{"a command is dropped on one master", "diverged", config{sabotage: machines(onFirst(dropped))}},
		{"commands change places on one master", "diverged", config{sabotage: machines(onFirst(swapped))}},
		{"disks acknowledge before they have written", "lost or diverged", config{lyingDisks: true}},
		{"reads ask nobody", "stale read", config{staleReads: true}},
		{"heartbeats go on while the disk hangs", "no progress", config{stallLimit: time.Hour, only: "leader's disk hangs"}},
	} {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			for seed := int64(1); seed <= 10; seed++ {
				cfg := s.cfg
				cfg.size, cfg.seed, cfg.faults = 3, seed, 40
				r := run(t, cfg)
				if found(r, s.caught) {
					t.Logf("seed %d: %s", seed, r.violations[0].text)
					return
				}
			}
			t.Errorf("not caught in 10 seeds")
		})
	}
}

func found(r *report, kind string) bool {
	for _, v := range r.violations {
		if v.kind == kind || kind == "lost or diverged" && (v.kind == "lost" || v.kind == "diverged" || v.kind == "stale read") {
			return true
		}
	}
	return false
}

// change is what a broken machine makes of the commands of an entry; how many results it hides is in the length.
type change func(cmds [][]byte) [][]byte

// machines breaks state machines: by id.
func machines(of func(id string) change) func(string, raftnode.Machine) raftnode.Machine {
	return func(id string, m raftnode.Machine) raftnode.Machine {
		if c := of(id); c != nil {
			return &broken{Machine: m, change: c}
		}
		return m
	}
}

func onFirst(c change) func(id string) change {
	return func(id string) change {
		if id == "m1" {
			return c
		}
		return nil
	}
}

// broken is a state machine that is given other commands than were committed.
type broken struct {
	raftnode.Machine
	change change
}

func (b *broken) Apply(index, term uint64, cmds [][]byte) [][]byte {
	results := b.Machine.Apply(index, term, b.change(cmds))
	for len(results) < len(cmds) {
		results = append(results, nil)
	}
	return results[:len(cmds)]
}

// forgetful takes every command's request id away.
func forgetful(cmds [][]byte) [][]byte {
	out := make([][]byte, len(cmds))
	for i, cmd := range cmds {
		id := requestID(cmd)
		out[i] = append(append(bytes.Clone(cmd[:3]), 0), cmd[4+len(id):]...)
	}
	return out
}

// submitsDriver: fsm.TypeSubmitDriver.
func submitsDriver(cmd []byte) bool { return cmd[1] == 30 }

// double carries a submission out once more, under no id.
func double(cmds [][]byte) [][]byte {
	out := append([][]byte(nil), cmds...)
	for _, cmd := range cmds {
		if submitsDriver(cmd) {
			out = append(out, forgetful([][]byte{cmd})...)
		}
	}
	return out
}

// dropped leaves submissions out.
func dropped(cmds [][]byte) [][]byte {
	var out [][]byte
	for _, cmd := range cmds {
		if !submitsDriver(cmd) {
			out = append(out, cmd)
		}
	}
	return out
}

// swapped turns the order of an entry round.
func swapped(cmds [][]byte) [][]byte {
	out := make([][]byte, len(cmds))
	for i, cmd := range cmds {
		out[len(cmds)-1-i] = cmd
	}
	return out
}
