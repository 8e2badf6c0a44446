package wire

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
)

// unhex reads hexadecimal text in which blanks part the fields.
func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// sample is an ask of a worker at 10.0.0.7:41001 to the verifier of a master at m1:7077, and its envelope on the wire.
var sample = Envelope{
	Sender: Address{"10.0.0.7", 41001}, Receiver: Address{"m1", 7077}, Endpoint: "endpoint-verifier", Payload: []byte{0xAC, 0xED, 0, 5},
}

const sampleEnvelope = `
	01 0008 31302e302e302e37 0000a029
	01 0002 6d31 00001ba5
	0011 656e64706f696e742d7665726966696572
	aced0005`

// The layouts are those of org.apache.spark.network.protocol, as they were seen on the wire of 3.5.7 and 4.1.4.
func TestFrames(t *testing.T) {
	t.Parallel()
	body := unhex(t, sampleEnvelope)
	for _, c := range []struct {
		name    string
		written []byte
		hex     string
		read    frame
	}{
		{"RpcRequest", requestFrame(0x0102030405060708, sample), "0000000000000044 03 0102030405060708 0000002f" + sampleEnvelope,
			frame{kind: typeRPCRequest, id: 0x0102030405060708, body: body}},
		{"RpcRequest with a negative id", requestFrame(-2, sample), "0000000000000044 03 fffffffffffffffe 0000002f" + sampleEnvelope,
			frame{kind: typeRPCRequest, id: -2, body: body}},
		{"OneWayMessage", oneWayFrame(sample), "000000000000003c 09 0000002f" + sampleEnvelope, frame{kind: typeOneWay, body: body}},
		{"RpcResponse", responseFrame(7, []byte{0xAC, 0xED, 0, 5}), "0000000000000019 04 0000000000000007 00000004 aced0005",
			frame{kind: typeRPCResponse, id: 7, body: []byte{0xAC, 0xED, 0, 5}}},
		{"RpcFailure", failureFrame(7, "né"), "0000000000000018 05 0000000000000007 00000003 6ec3a9", frame{kind: typeRPCFailure, id: 7, text: "né"}},
		{"StreamRequest", nil, "0000000000000011 06 00000004 2f6a6172", frame{kind: typeStreamRequest, text: "/jar"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			want := unhex(t, c.hex)
			if c.written != nil && !bytes.Equal(c.written, want) {
				t.Errorf("written\n%x\nwant\n%x", c.written, want)
			}
			r := bufio.NewReader(bytes.NewReader(append(want, 0xFF)))
			got, err := readFrame(r, DefaultMaxFrame)
			if err != nil {
				t.Fatal(err)
			}
			if got.kind != c.read.kind || got.id != c.read.id || got.text != c.read.text || !bytes.Equal(got.body, c.read.body) {
				t.Errorf("read %+v, want %+v", got, c.read)
			}
			if next, err := r.ReadByte(); next != 0xFF || err != nil {
				t.Errorf("the reader stands at %#x, %v, not behind the frame", next, err)
			}
		})
	}
}

func TestStreamFailureFrame(t *testing.T) {
	t.Parallel()
	want := unhex(t, "0000000000000016 08 00000002 2f6a 00000003 6e6f70")
	if got := streamFailureFrame("/j", "nop"); !bytes.Equal(got, want) {
		t.Errorf("written %x, want %x", got, want)
	}
}

func TestFramesThatAreRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, hex string
		max       int64
		want      error
		text      string
	}{
		{"nothing", "", 100, io.EOF, ""},
		{"a header cut short", "00000000000000", 100, io.ErrUnexpectedEOF, ""},
		{"a negative length", "ffffffffffffffff 09", 100, ErrFrame, "length of -1"},
		{"a length below its own header", "0000000000000008 09", 100, ErrFrame, "length of 8"},
		{"over the limit", "0000000000000065 09", 100, ErrFrameTooLarge, "101 bytes, at most 100"},
		{"2^62", "4000000000000000 03", DefaultMaxFrame, ErrFrameTooLarge, "spark.rpc.message.maxSize"},
		{"TLS", "16030100f8010000f4 03", DefaultMaxFrame, ErrFrameTooLarge, ""},
		{"a body cut short", "000000000000001d 09 00000010 aabb", 100, io.ErrUnexpectedEOF, "frame of 29 bytes"},
		{"no body at all", "000000000000001d 09", 100, io.ErrUnexpectedEOF, "frame of 29 bytes"},
		{"a request without an id", "000000000000000d 03 00000000", 100, ErrFrame, "type 3 with 4 bytes"},
		{"a response without a length", "0000000000000011 04 0000000000000001", 100, ErrFrame, "type 4"},
		{"a failure without a text length", "0000000000000011 05 0000000000000001", 100, ErrFrame, "type 5"},
		{"a one-way message without a length", "000000000000000b 09 0000", 100, ErrFrame, "type 9"},
		{"a chunk fetch", "0000000000000009 00", 100, ErrFrame, "type 0"},
		{"a stream response", "0000000000000009 07", 100, ErrFrame, "type 7"},
		{"no type of Spark's", "0000000000000009 7f", 100, ErrFrame, "type 127"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := readFrame(bufio.NewReader(bytes.NewReader(unhex(t, c.hex))), c.max)
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("got %v, want %v with %q", err, c.want, c.text)
			}
		})
	}
}

// A text that claims to be longer than its frame is taken as far as it goes: it is only shown.
func TestTextLengthsThatLie(t *testing.T) {
	t.Parallel()
	for hex, want := range map[string]string{
		"": "", "0000": "", "00000000": "", "00000001 61": "a", "00000001 6162": "a", "7fffffff 6162": "ab", "ffffffff 6162": "ab",
	} {
		if got := shortText(unhex(t, hex)); got != want {
			t.Errorf("%s: got %q, want %q", hex, got, want)
		}
	}
}

// A length within the limit that lies must not be believed before its bytes come.
func TestALengthThatLiesCostsNothing(t *testing.T) {
	in := unhex(t, "0000000008000000 09 07fffff3 0102") // 128 MiB announced, two bytes sent
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := readFrame(bufio.NewReader(bytes.NewReader(in)), DefaultMaxFrame)
	runtime.ReadMemStats(&after)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v", err)
	}
	if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20 {
		t.Errorf("%d bytes were allocated for two", got)
	}
}

func TestALargeFrameIsReadWhole(t *testing.T) {
	t.Parallel()
	e := Envelope{Endpoint: "Master", Payload: bytes.Repeat([]byte{1, 2, 3}, eagerRead)}
	f, err := readFrame(bufio.NewReader(bytes.NewReader(oneWayFrame(e))), DefaultMaxFrame)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := parseEnvelope(f.body); err != nil || !bytes.Equal(got.Payload, e.Payload) {
		t.Errorf("%d bytes of %d, %v", len(got.Payload), len(e.Payload), err)
	}
}
