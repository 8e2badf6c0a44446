package fsm

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"hash/crc32"
	"io"

	iradix "github.com/hashicorp/go-immutable-radix/v2"
)

// A snapshot is a stream of frames: kind (1 byte), length (4 bytes, big-endian), record (CBOR), CRC-32C of all of it
// (4 bytes). The last frame holds the digest of the records before it, so a snapshot that is cut or changed is found out.
const (
	recordHeader          = 1
	recordWorker          = 2
	recordApp             = 3
	recordExecutor        = 4
	recordDriver          = 5
	recordCompletedApp    = 6
	recordCompletedDriver = 7
	recordRequest         = 8
	recordDriverKey       = 9
	recordStaged          = 10
	recordEnd             = 255
)

const (
	snapshotFormat = 1
	maxRecord      = 64 << 20 // bytes; a record is one worker, application, driver or result
)

type snapshotHeader struct {
	Format   int      `cbor:"1,keyasint"`
	Counters counters `cbor:"2,keyasint"`
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Write streams the state as a snapshot.
func (s *State) Write(out io.Writer) error {
	w := bufio.NewWriterSize(out, 1<<16)
	sum := sha256.New()
	err := s.records(func(kind byte, record any) error { return writeFrame(w, sum, kind, marshal(record)) })
	if err != nil {
		return fmt.Errorf("write a snapshot: %w", err)
	}
	if err := writeFrame(w, sum, recordEnd, sum.Sum(nil)); err != nil {
		return fmt.Errorf("write the end of a snapshot: %w", err)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write a snapshot: %w", err)
	}
	return nil
}

// Digest is a hash of everything the state holds: two masters at the same index have the same one.
func (s *State) Digest() string {
	sum := sha256.New()
	_ = s.records(func(kind byte, record any) error { return writeFrame(io.Discard, sum, kind, marshal(record)) })
	return hex.EncodeToString(sum.Sum(nil))
}

func writeFrame(w io.Writer, sum hash.Hash, kind byte, body []byte) error {
	frame := binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(body)))
	frame = append(frame, body...)
	sum.Write(frame)
	frame = binary.BigEndian.AppendUint32(frame, crc32.Checksum(frame, castagnoli))
	_, err := w.Write(frame)
	return err
}

// records visits everything in one order that is the same everywhere.
func (s *State) records(visit func(kind byte, record any) error) error {
	if err := visit(recordHeader, snapshotHeader{Format: snapshotFormat, Counters: s.c}); err != nil {
		return err
	}
	return firstError(
		func() error { return visitTree(s.workers, recordWorker, visit) },
		func() error { return visitTree(s.apps, recordApp, visit) },
		func() error { return visitTree(s.execs, recordExecutor, visit) },
		func() error { return visitTree(s.drivers, recordDriver, visit) },
		func() error { return visitTree(s.completedApps, recordCompletedApp, visit) },
		func() error { return visitTree(s.completedDrivers, recordCompletedDriver, visit) },
		func() error { return s.visitRequests(visit) },
		func() error { return s.visitStaged(visit) },
		func() error { return visitTree(s.keyEnds, recordDriverKey, visit) },
	)
}

func firstError(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func visitTree[T any](t *iradix.Tree[T], kind byte, visit func(byte, any) error) error {
	for v := range all(t) {
		if err := visit(kind, v); err != nil {
			return err
		}
	}
	return nil
}
