package fsm

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
)

// ReadSnapshot builds the state that a snapshot holds. The whole of it is checked before anything is believed.
func ReadSnapshot(in io.Reader) (*State, error) {
	r := bufio.NewReaderSize(in, 1<<16)
	t := emptyState().begin()
	sum := sha256.New()
	var buf bytes.Buffer // one for all records: what is decoded keeps nothing of it
	for n := 0; ; n++ {
		kind, body, frame, err := readFrame(r, &buf)
		if err != nil {
			return nil, fmt.Errorf("read record %d of a snapshot: %w", n, err)
		}
		if kind == recordEnd && n > 0 {
			if _, err := r.ReadByte(); err != io.EOF {
				return nil, fmt.Errorf("%w: bytes after the end of the snapshot", ErrMalformed)
			}
			if !bytes.Equal(body, sum.Sum(nil)) {
				return nil, fmt.Errorf("%w: the snapshot's digest is not that of its %d records", ErrMalformed, n)
			}
			if err := t.checkRequests(); err != nil {
				return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
			}
			return t.commit(), nil
		}
		if (n == 0) != (kind == recordHeader) {
			return nil, fmt.Errorf("%w: record %d of a snapshot has kind %d", ErrMalformed, n, kind)
		}
		sum.Write(frame)
		if err := t.restore(kind, body); err != nil {
			return nil, fmt.Errorf("restore record %d of a snapshot: %w", n, err)
		}
	}
}

// readFrame gives the next record, which is good until the next call.
func readFrame(r *bufio.Reader, buf *bytes.Buffer) (kind byte, body, frame []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, nil, fmt.Errorf("%w: the snapshot is cut short: %w", ErrMalformed, err)
	}
	size := binary.BigEndian.Uint32(head[1:])
	if size > maxRecord {
		return 0, nil, nil, fmt.Errorf("%w: a record of %d bytes", ErrMalformed, size)
	}
	// CopyN grows with what is really there, so a length that lies costs nothing.
	buf.Reset()
	buf.Write(head[:])
	if _, err := io.CopyN(buf, r, int64(size)+4); err != nil {
		return 0, nil, nil, fmt.Errorf("%w: the snapshot is cut short: %w", ErrMalformed, err)
	}
	all := buf.Bytes()
	frame = all[:len(all)-4]
	if crc32.Checksum(frame, castagnoli) != binary.BigEndian.Uint32(all[len(all)-4:]) {
		return 0, nil, nil, fmt.Errorf("%w: a record's checksum is wrong", ErrMalformed)
	}
	return head[0], frame[5:], frame, nil
}

var errFormat = errors.New("fsm: a snapshot of another format; it was written by another release: restore it with that one")

// restore adds one record and all that is derived from it.
func (t *txn) restore(kind byte, body []byte) error {
	switch kind {
	case recordHeader:
		var h snapshotHeader
		if err := unmarshal(body, &h); err != nil {
			return err
		}
		if h.Format != snapshotFormat {
			return fmt.Errorf("%w (format %d)", errFormat, h.Format)
		}
		t.c = h.Counters
		return nil
	case recordWorker:
		return restoreAs(body, t.restoreWorker)
	case recordApp:
		return restoreAs(body, func(a *App) error {
			if err := a.check(); err != nil {
				return err
			}
			a.Build = intern(a.Build)
			t.appIDs.Insert([]byte(a.ID), a.Seq)
			t.appDrv.Insert(addressKey(a.DriverHost, a.DriverPort), a.Seq)
			t.indexStarter(a)
			t.putApp(a)
			return nil
		})
	case recordExecutor:
		return restoreAs(body, func(e *Executor) error {
			t.execs.Insert(execKey(e.AppSeq, e.ID), e)
			if !e.State.Finished() {
				t.onWorker.Insert(workerExecKey(e), e)
			}
			return nil
		})
	case recordDriver:
		return restoreAs(body, t.restoreDriver)
	case recordDriverKey:
		return restoreAs(body, t.restoreKey)
	case recordCompletedApp:
		return restoreAs(body, func(c *CompletedApp) error {
			if c.App == nil || slices.Contains(c.Executors, nil) {
				return errors.New("a completed application without its record")
			}
			t.completedApps.Insert(seqKey(c.EndSeq), c)
			return nil
		})
	case recordCompletedDriver:
		return restoreAs(body, func(d *Driver) error {
			t.completedDrivers.Insert(seqKey(d.EndSeq), d)
			return nil
		})
	case recordStaged:
		return restoreAs(body, func(p *stagedPiece) error {
			t.staged = t.staged.add(p.ID, p.Data)
			return nil
		})
	case recordRequest:
		return restoreAs(body, t.restoreRequest)
	}
	return fmt.Errorf("%w: a record of kind %d", ErrMalformed, kind)
}

func restoreAs[T any](body []byte, add func(*T) error) error {
	v := new(T)
	if err := unmarshal(body, v); err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if err := add(v); err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return nil
}

// check is for what Apply relies on without looking: the default profile.
func (a *App) check() error {
	if len(a.Profiles) == 0 || a.Profiles[0].ID != 0 {
		return fmt.Errorf("application %q without a default profile", a.ID)
	}
	return nil
}

func (t *txn) restoreWorker(w *Worker) error {
	for i, b := range w.Builds {
		w.Builds[i] = intern(b)
	}
	t.putWorker(w)
	if w.State != WorkerDead {
		t.addresses.Insert(addressKey(w.Host, w.Port), w.ID)
	}
	return nil
}

func (t *txn) restoreDriver(d *Driver) error {
	d.Build = intern(d.Build)
	t.drivers.Insert([]byte(d.ID), d)
	for _, run := range d.Runs {
		t.driverRuns.Insert([]byte(run), d.ID)
	}
	if d.Waits() {
		t.enqueue(d)
	} else if d.WorkerID != "" {
		t.driversOn.Insert(driverOnKey(d), d)
	}
	return nil
}

// Restore replaces the state by a snapshot's.
func (m *Machine) Restore(r io.Reader) error {
	s, err := ReadSnapshot(r)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state.Store(s)
	m.answered = indexRequests(s.requests)
	for sub := range m.subs {
		sub.push(s, nil)
	}
	return nil
}
