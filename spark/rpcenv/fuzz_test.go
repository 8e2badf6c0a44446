package rpcenv

import (
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/firesteel/firesteel/spark/messages"
	"github.com/firesteel/firesteel/spark/wire"
)

// oneConn is a listener of one connection.
type oneConn struct {
	conn chan net.Conn
	done chan struct{}
	once sync.Once
}

func (l *oneConn) Accept() (net.Conn, error) {
	select {
	case c := <-l.conn:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}
func (l *oneConn) Close() error   { l.once.Do(func() { close(l.done) }); return nil }
func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{} }

// request frames an object stream as Spark's client does: length, type 3, request id, body length; sender, receiver (both
// absent), endpoint name, payload.
func request(endpoint string, payload []byte) []byte {
	envelope := append([]byte{0, 0}, binary.BigEndian.AppendUint16(nil, uint16(len(endpoint)))...)
	envelope = append(append(envelope, endpoint...), payload...)
	b := binary.BigEndian.AppendUint64(nil, uint64(21+len(envelope)))
	b = binary.BigEndian.AppendUint64(append(b, 3), 7)
	return append(binary.BigEndian.AppendUint32(b, uint32(len(envelope))), envelope...)
}

// FuzzConnection: whatever a peer sends, the connection is served or closed, and closing the environment ends it all.
func FuzzConnection(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("..", "javaser", "testdata", "captures", "*", "*.ser"))
	if err != nil || len(files) == 0 {
		f.Fatalf("no captures: %v", err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(request("Master", b))
		f.Add(append(request("endpoint-verifier", b), request("Master", b)...))
	}
	f.Add([]byte{0x40, 0, 0, 0, 0, 0, 0, 0, 3})
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	echo := endpoint{reply: func(_ *Peer, m messages.Message) (messages.Message, error) {
		if _, ok := m.(*messages.Unknown); ok {
			return nil, errors.New("unknown")
		}
		return m, nil
	}}
	f.Fuzz(func(t *testing.T, b []byte) {
		client, server := net.Pipe()
		ln := &oneConn{conn: make(chan net.Conn, 1), done: make(chan struct{})}
		ln.conn <- server
		env := New(Config{
			Address: wire.Address{Host: "m", Port: 7077}, Endpoints: map[string]Endpoint{"Master": echo}, MaxFrame: 1 << 20, Logger: slog.New(slog.DiscardHandler),
		})
		env.Serve(ln)
		var drained sync.WaitGroup
		drained.Go(func() { _, _ = io.Copy(io.Discard, client) }) // it ends with the connection
		_ = client.SetWriteDeadline(time.Now().Add(patience))
		if _, err := client.Write(b); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error("the environment neither reads nor closes")
		}
		_ = client.Close()
		if err := env.Close(); err != nil {
			t.Error(err)
		}
		drained.Wait()
	})
}
