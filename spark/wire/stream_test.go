package wire

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"math"
	"net"
	"strings"
	"testing"
	"testing/iotest"
)

// streamHead makes the answer to a stream request as Spark's MessageEncoder does.
func streamHead(kind byte, id string, rest []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(id)))
	b = append(append(b, id...), rest...)
	return append(appendHeader(nil, kind, len(b)), b...)
}

func streamResponse(id string, size int64) []byte {
	return streamHead(typeStreamResponse, id, binary.BigEndian.AppendUint64(nil, uint64(size)))
}

// asked starts a server that answers one stream request with these bytes, and asks it.
func asked(t *testing.T, id string, answer []byte) (io.Reader, int64, error) {
	t.Helper()
	ours, theirs := net.Pipe()
	served := make(chan struct{})
	go func() {
		defer close(served)
		defer theirs.Close()
		f, err := readFrame(bufio.NewReader(theirs), 1<<20)
		if err != nil || f.kind != typeStreamRequest || f.text != id {
			t.Errorf("the server reads %+v, %v", f, err)
			return
		}
		_, _ = theirs.Write(answer) // fails where the asker has seen enough
	}()
	t.Cleanup(func() {
		ours.Close()
		<-served
	})
	return RequestStream(ours, id)
}

func TestStream(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("bytes of a jar", 20_000)
	answer := append(streamResponse("/jars/a b.jar", int64(len(text))), text...)
	body, size, err := asked(t, "/jars/a b.jar", append(answer, "what comes after is not the stream's"...))
	if err != nil || size != int64(len(text)) {
		t.Fatal(size, err)
	}
	if got, err := io.ReadAll(body); err != nil || string(got) != text {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	body, size, err = asked(t, "/files/empty", streamResponse("/files/empty", 0))
	if got, readErr := io.ReadAll(body); err != nil || size != 0 || len(got) != 0 || readErr != nil {
		t.Error(size, got, err, readErr)
	}
}

func TestStreamThatIsCut(t *testing.T) {
	t.Parallel()
	body, _, err := asked(t, "/jars/x.jar", append(streamResponse("/jars/x.jar", 100), "half"...))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(body); string(got) != "half" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%q, %v", got, err)
	}
	whole := streamResponse("/jars/x.jar", 100)
	for n := range len(whole) {
		if _, _, err := asked(t, "/jars/x.jar", whole[:n]); !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("of %d bytes: %v", n, err)
		}
	}
}

func TestStreamThatIsRefused(t *testing.T) {
	t.Parallel()
	trace := "java.lang.IllegalArgumentException: File not found: /jars/x\n\tat org.apache.spark"
	failure := streamHead(typeStreamFailure, "/jars/x", append(binary.BigEndian.AppendUint32(nil, uint32(len(trace))), trace...))
	var refused *StreamError
	if _, _, err := asked(t, "/jars/x", failure); !errors.As(err, &refused) || refused.Text != "java.lang.IllegalArgumentException: File not found: /jars/x" {
		t.Error(err)
	}
	for name, answer := range map[string][]byte{
		"other type": responseFrame(1, []byte("x")), "negative": streamResponse("/jars/x", -1), "length of 3": {0, 0, 0, 0, 0, 0, 0, 3, 7},
		"short": streamHead(typeStreamResponse, "/jars/x", []byte{1}), "no id": appendHeader(nil, typeStreamResponse, 0), "HTTP": []byte("HTTP/1.1 400 Bad Request\r\n"),
	} {
		if _, _, err := asked(t, "/jars/x", answer); !errors.Is(err, ErrFrame) && !errors.Is(err, ErrFrameTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := RequestStream(nil, strings.Repeat("x", maxStreamHead)); !errors.Is(err, ErrFrameTooLarge) {
		t.Error(err)
	}
}

// What drivers of 3.5.9 and 4.3.0 answered, byte for byte the same.
const (
	driverHas    = "0000000000000022070000000d2f6a6172732f6170702e6a61720000000001312d68"
	driverHasNot = "0000000000000045080000000e2f6a6172732f6e6f6e652e6a61720000002653747265616d20272f6a6172732f6e6f6e652e6a61722720776173206e6f7420666f756e642e"
)

func TestStreamOfRealDrivers(t *testing.T) {
	t.Parallel()
	unhex := func(s string) *bytes.Reader {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return bytes.NewReader(b)
	}
	if size, err := readStreamHead(unhex(driverHas)); size != 20_000_104 || err != nil {
		t.Error(size, err)
	}
	var refused *StreamError
	if _, err := readStreamHead(unhex(driverHasNot)); !errors.As(err, &refused) || refused.Text != "Stream '/jars/none.jar' was not found." {
		t.Error(err)
	}
}

func FuzzStreamHead(f *testing.F) {
	f.Add(streamResponse("/jars/x.jar", 10))
	f.Add(streamHead(typeStreamFailure, "/jars/x", []byte{0, 0, 0, 1, 'x'}))
	for _, n := range []int64{1 << 62, 1 << 30, 1_000_000, math.MinInt64} {
		f.Add(binary.BigEndian.AppendUint64(nil, uint64(n)))
		f.Add(streamResponse("", n))
	}
	for _, real := range []string{driverHas, driverHasNot} {
		b, err := hex.DecodeString(real)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		size, err := readStreamHead(bytes.NewReader(b))
		if err == nil && size < 0 {
			t.Errorf("a stream of %d bytes", size)
		}
		slow, slowErr := readStreamHead(iotest.OneByteReader(bytes.NewReader(b)))
		if slow != size || (err == nil) != (slowErr == nil) {
			t.Errorf("%d %v at once, %d %v byte by byte", size, err, slow, slowErr)
		}
	})
}
