package membership

import (
	"bytes"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// TestMissedIsToldToTheMasters: whoever misses a member, every master hears of it before the member is given up.
func TestMissedIsToldToTheMasters(t *testing.T) {
	t.Parallel()
	master := startPeer(t, "m0", nil)
	var others []*peer
	for _, id := range []string{"w1", "w2", "w3", "w4"} {
		p := startPeer(t, id, func(c *Config) { c.Meta.Role, c.Meta.RaftAddr = RoleWorker, "" })
		p.Join([]string{master.Addr()})
		others = append(others, p)
	}
	for _, p := range append(others, master) {
		p.sees(t, 5)
	}
	if err := others[3].Close(); err != nil {
		t.Fatal(err)
	}
	deadline := time.After(testTimeout)
	for suspected := false; ; {
		select {
		case e := <-master.events:
			switch {
			case e.Member.ID != "w4" || e.Kind == Joined:
			case e.Kind == Suspected:
				suspected = true
			case e.Kind == Failed && suspected:
				return
			default:
				t.Fatalf("%s of w4, suspected before: %v", e.Kind, suspected)
			}
		case <-deadline:
			t.Fatal("nothing is told of w4")
		}
	}
}

func TestHintsOfNobody(t *testing.T) {
	t.Parallel()
	p := startPeer(t, "m0", nil)
	for _, data := range [][]byte{nil, {0xff}, bytes.Repeat([]byte{'a'}, maxMissed+1), must(cbor.Marshal(missed{2, "x"})), must(cbor.Marshal(missed{1, "nobody"})), must(cbor.Marshal(missed{1, p.table.self}))} {
		delegate{p.Gossip}.NotifyMsg(data)
	}
	if e := p.table.take(); len(e) != 0 {
		t.Errorf("%v", e)
	}
}

func must(data []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return data
}

func FuzzDecodeMissed(f *testing.F) {
	f.Add(must(cbor.Marshal(missed{1, "w#1"})))
	f.Add([]byte{0xbf, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		if name, err := decodeMissed(data); err == nil && len(name) > maxMissed {
			t.Fatalf("a name of %d bytes", len(name))
		}
	})
}
