package wire

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// captured are object streams that stock Spark processes have sent, as payloads to begin with.
func captured(f *testing.F) [][]byte {
	f.Helper()
	paths, err := filepath.Glob("../javaser/testdata/captures/*/*.ser")
	if err != nil || len(paths) == 0 {
		f.Fatalf("no captures: %v", err)
	}
	var out [][]byte
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			f.Fatal(err)
		}
		out = append(out, b)
	}
	return out
}

// FuzzFrame: whatever comes, a frame is read whole or refused, and never more than the limit is taken.
func FuzzFrame(f *testing.F) {
	const limit = 1 << 16
	for i, payload := range captured(f) {
		e := sample
		e.Payload = payload
		f.Add(requestFrame(int64(i), e))
		f.Add(oneWayFrame(e))
		f.Add(responseFrame(int64(-i), payload))
	}
	f.Add(failureFrame(1, "java.io.InvalidClassException: org.apache.spark.rpc.RpcEndpointRef"))
	f.Add(unhex(f, "0000000000000011 06 00000004 2f6a6172"))
	f.Add(unhex(f, "4000000000000000 03"))
	f.Fuzz(func(t *testing.T, b []byte) {
		in := bytes.NewReader(b)
		r := bufio.NewReaderSize(in, 16)
		got, err := readFrame(r, limit)
		if err != nil {
			return
		}
		taken := len(b) - in.Len() - r.Buffered()
		if taken > limit || got.size() > int64(taken) {
			t.Fatalf("%d bytes taken for a frame of %d", taken, got.size())
		}
		var again []byte
		switch got.kind {
		case typeRPCResponse:
			again = responseFrame(got.id, got.body)
		case typeRPCFailure:
			again = failureFrame(got.id, got.text)
		default:
			return
		}
		second, err := readFrame(bufio.NewReader(bytes.NewReader(again)), limit)
		if err != nil || !reflect.DeepEqual(got, second) {
			t.Fatalf("%+v was written as %x and read as %+v, %v", got, again, second, err)
		}
	})
}

// FuzzEnvelope: what is read as an envelope is written as the same bytes.
func FuzzEnvelope(f *testing.F) {
	for _, payload := range captured(f) {
		e := sample
		e.Payload = payload
		f.Add(e.append(nil))
	}
	f.Add(unhex(f, "00 00 0006 4d6173746572"))
	f.Add(unhex(f, "ea 0000000d 737061726b5361736c55736572 00000000"))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := parseEnvelope(b)
		if err != nil {
			return
		}
		if err := e.check(); err != nil {
			t.Fatalf("an envelope that was read cannot be written: %v", err)
		}
		again := e.append(nil)
		if len(again) != e.size() {
			t.Fatalf("size %d, written %d", e.size(), len(again))
		}
		second, err := parseEnvelope(again)
		if err != nil || !reflect.DeepEqual(e, second) {
			t.Fatalf("%+v was written as %x and read as %+v, %v", e, again, second, err)
		}
	})
}
