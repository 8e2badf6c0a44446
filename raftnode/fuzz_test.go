package raftnode

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/firesteel/firesteel/internal/bomb"
)

// FuzzRestore: whatever a snapshot holds, it is restored as a whole or refused with the state as it was.
func FuzzRestore(f *testing.F) {
	f.Add([]byte("\x01\x05{\"Order\":[\"a\"],\"Seen\":{\"a\":5}}"))
	f.Add([]byte("\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01{}"))
	f.Add([]byte("\x02"))
	f.Fuzz(func(t *testing.T, b []byte) {
		record := newRecorder()
		m := &fsm{machine: record, applied: &progress{}, fatal: func(err error) { t.Error(err) }}
		if err := m.Restore(io.NopCloser(bytes.NewReader(b))); err != nil && (m.applied.index() != 0 || len(record.order()) != 0) {
			t.Errorf("refused (%v), and the state is at %d", err, m.applied.index())
		}
	})
}

// FuzzIdentity: whatever the identity file holds, the directory is taken for this node or refused.
func FuzzIdentity(f *testing.F) {
	f.Add([]byte(`{"node_id":"m1","cluster_id":"c"}`))
	f.Add([]byte(`{"node_id":"m2"}`))
	f.Add([]byte(`[[[[`))
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, identityFile), b, 0o600); err != nil {
			t.Fatal(err)
		}
		own, err := claimIdentity(dir, "m1", "c", false)
		if err != nil {
			if !errors.Is(err, ErrDataDir) && !errors.Is(err, ErrForeignDataDir) {
				t.Errorf("an error of no known kind: %v", err)
			}
			return
		}
		if own.NodeID != "m1" || own.ClusterID != "c" {
			t.Errorf("%q is taken as %+v", b, own)
		}
	})
}

// FuzzStream: whatever comes on the Raft port, the connection is given to raft, answered or closed, and Close ends it.
func FuzzStream(f *testing.F) {
	f.Add([]byte("W"))
	f.Add([]byte("W????"))
	f.Add([]byte("R\x00abc"))
	f.Add([]byte("GET / HTTP/1.1\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		stream, err := listenStream("127.0.0.1:0", "")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for {
				conn, err := stream.Accept()
				if err != nil {
					return
				}
				_ = conn.Close()
			}
		}()
		conn, err := net.Dial("tcp", stream.listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(testTimeout))
		_, _ = conn.Write(b)
		_ = conn.(*net.TCPConn).CloseWrite()
		if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error("a connection that has said all is not closed")
		}
		_ = conn.Close()
		if err := stream.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestEntryBombs: lengths in a log entry are not believed, and a million empty commands cost their slices only.
func TestEntryBombs(t *testing.T) {
	for name, in := range map[string][]byte{
		"a command of 2^62":      binary.AppendUvarint([]byte{entryFormat}, 1<<62),
		"a command of 2^64-1":    binary.AppendUvarint([]byte{entryFormat}, 1<<64-1),
		"a million empty ones":   append([]byte{entryFormat}, make([]byte, 1_000_000)...),
		"an endless length":      append([]byte{entryFormat}, bytes.Repeat([]byte{0x80}, 1_000_000)...),
		"one byte more than all": {entryFormat, 2, 'a'},
	} {
		bomb.Bounded(t, name, in, 160, 64<<10, func(b []byte) { _, _ = decodeEntry(b) })
	}
}
