package fsm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"

	"github.com/firesteel/firesteel/internal/bomb"
)

// FuzzResult: an answer that another master sends is read or refused.
func FuzzResult(f *testing.F) {
	f.Add(encodeResult(AppRegistered{AppID: "app-1"}, nil))
	f.Add(encodeResult(WorkerReconciled{Kill: []ExecutorKey{{AppID: "a", ID: 1}}, KillDrivers: []string{"d"}}, nil))
	f.Add(encodeResult(nil, &Refusal{CodeInvalid, "no"}))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, out := range []any{nil, new(AppRegistered), new(WorkerReconciled), new(PlanApplied), new(DriverSubmittedResult), new(WorkerRegistered)} {
			err := DecodeResult(b, out)
			var refusal *Refusal
			if err != nil && !errors.Is(err, ErrMalformed) && !errors.As(err, &refusal) {
				t.Fatalf("an error of no known kind: %v", err)
			}
		}
	})
}

// cborHead is the head of a CBOR item of a major type with a length.
func cborHead(major byte, length uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{major<<5 | 27}, length)
}

// TestBombs: lengths of 2^62, a depth of a million and a million of something, in every command, as a result and as every
// record of a snapshot, cost memory in proportion to the bytes that came.
func TestBombs(t *testing.T) {
	const million = 1_000_000
	bodies := map[string][]byte{
		"a depth of a million arrays": bytes.Repeat([]byte{0x81}, million),
		"a depth of a million maps":   bytes.Repeat([]byte{0xA1, 0x01}, million),
		"a depth of a million tags":   bytes.Repeat([]byte{0xC1}, million),
	}
	field := func(key byte, b []byte) []byte { return append([]byte{0xA1, key}, b...) }
	for key := byte(1); key <= 9; key++ {
		bodies[fmt.Sprintf("field %d, an array of 2^62", key)] = field(key, cborHead(4, 1<<62))
		bodies[fmt.Sprintf("field %d, a map of 2^62", key)] = field(key, cborHead(5, 1<<62))
		bodies[fmt.Sprintf("field %d, bytes of 2^62", key)] = field(key, cborHead(2, 1<<62))
		bodies[fmt.Sprintf("field %d, text of 2^62", key)] = field(key, cborHead(3, 1<<62))
		bodies[fmt.Sprintf("field %d, an array of 4 million that are not there", key)] = field(key, cborHead(4, 1<<22))
	}
	for name, body := range bodies {
		for i, c := range commands() {
			if len(body) > 1000 && i%8 != 0 {
				continue // the depth is refused before the type matters
			}
			bomb.Bounded(t, name, append([]byte{0, byte(c.Type()), 0, 0}, body...), 256, 1<<20, func(b []byte) { _ = Check(b) })
		}
		bomb.Bounded(t, name, body, 256, 1<<20, func(b []byte) { _ = DecodeResult(b, new(WorkerReconciled)) })
	}
	// The lists that commands and results have.
	for _, list := range []struct {
		of  Type
		key byte
	}{
		{TypeWorkerReport, 3}, {TypeWorkerReport, 4}, {TypeRequestExecutors, 2}, {TypeKillExecutors, 2}, {TypeDecommissionHosts, 1}, {TypeApplyPlan, 1}, {TypeApplyPlan, 2},
	} {
		for _, element := range []byte{0xA0, 0x60, 0x80, 0x00} { // an empty map, text, array; zero
			body := append(field(list.key, cborHead(4, million)), bytes.Repeat([]byte{element}, million)...)
			name := fmt.Sprintf("command %d, field %d, a million of %#x", list.of, list.key, element)
			bomb.Bounded(t, name, append([]byte{0, byte(list.of), 0, 0}, body...), 256, 1<<20, func(b []byte) { _ = Check(b) })
		}
	}
}

// TestSnapshotBombs: a record's length is not believed.
func TestSnapshotBombs(t *testing.T) {
	for name, in := range map[string][]byte{
		"a record of 4 GiB":  {recordHeader, 0xFF, 0xFF, 0xFF, 0xFF, 1, 2, 3},
		"a record of 64 MiB": {recordHeader, 0x04, 0, 0, 0, 1, 2, 3},
	} {
		bomb.Bounded(t, name, in, 1, 2<<20, func(b []byte) {
			if _, err := ReadSnapshot(bytes.NewReader(b)); !errors.Is(err, ErrMalformed) {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	deep := framed(t, record(recordHeader, snapshotHeader{Format: snapshotFormat}), func() (byte, []byte) { return recordApp, bytes.Repeat([]byte{0x81}, 1_000_000) })
	bomb.Bounded(t, "a depth of a million", deep, 64, 8<<20, func(b []byte) {
		if _, err := ReadSnapshot(bytes.NewReader(b)); !errors.Is(err, ErrMalformed) {
			t.Errorf("a depth of a million: %v", err)
		}
	})
}
