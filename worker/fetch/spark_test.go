package fetch

import (
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"net"
	"testing"
)

// answers serves one answer to every connection, after the first bytes of the question, and closes it.
func answers(t *testing.T, answer []byte) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 1000))
			_, _ = c.Write(answer)
			_ = c.(*net.TCPConn).CloseWrite()
			_, _ = io.Copy(io.Discard, c) // until the other side has seen it, and closes
			c.Close()
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-over
	})
	return l.Addr().String()
}

// streamed is what a driver's file server sends: kind 7 is a stream of so many bytes, which follow; 8 an error.
func frame(kind byte, id string, rest ...byte) []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(9+4+len(id)+len(rest)))
	b = append(b, kind)
	b = binary.BigEndian.AppendUint32(b, uint32(len(id)))
	return append(append(b, id...), rest...)
}

func counts(n int) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }

func text(s string) []byte { return append(binary.BigEndian.AppendUint32(nil, uint32(len(s))), s...) }

func TestSpark(t *testing.T) {
	t.Parallel()
	f := New(Config{})
	good := answers(t, append(frame(7, "/jars/a b.jar", counts(4)...), "good"...))
	if name, text := fetched(t, f, "spark://"+good+"/jars/a%20b.jar", nil); name != "a b.jar" || text != "good" {
		t.Errorf("%s: %q", name, text)
	}
	for words, c := range map[string]struct {
		answer []byte
		err    error
	}{
		`answers "Stream '/jars/x.jar' was not found."`: {frame(8, "/jars/x.jar", text("Stream '/jars/x.jar' was not found.")...), fs.ErrNotExist},
		`answers "java.io.IOException: bad disk"`:       {frame(8, "/jars/x.jar", text("java.io.IOException: bad disk\n\tat x")...), nil},
		"cut short, 4 bytes came of 1000":               {append(frame(7, "/jars/x.jar", counts(1000)...), "half"...), ErrTruncated},
		"9223372036854775807 bytes, at most":            {frame(7, "/jars/x.jar", counts(1<<63-1)...), ErrTooLarge},
		"the port of its file server":                   {[]byte("HTTP/1.1 400 Bad Request\r\n\r\n"), ErrProtocol},
		"closed the connection without an answer":       {nil, io.ErrUnexpectedEOF},
	} {
		if err := refused(t, f, "spark://"+answers(t, c.answer)+"/jars/x.jar", nil, words); c.err != nil && !errors.Is(err, c.err) {
			t.Errorf("%v is no %v", err, c.err)
		}
	}
	refused(t, f, "spark://127.0.0.1:1/jars/x.jar", nil, "refused", "nothing listens there")
	silent, _ := endless(t, "")
	refusedSoon(t, f, "spark://"+silent+"/jars/x.jar", "silent for 1s")
	silent, _ = endless(t, string(append(frame(7, "/jars/x.jar", counts(1000)...), "half"...)))
	refusedSoon(t, f, "spark://"+silent+"/jars/x.jar", "silent for 1s")
}

func TestSparkFetchIsCancelled(t *testing.T) {
	t.Parallel()
	silent, asked := endless(t, string(append(frame(7, "/jars/x.jar", counts(1000)...), "half"...)))
	cancelled(t, New(Config{}), "spark://"+silent+"/jars/x.jar", nil, asked)
}
