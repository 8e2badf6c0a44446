package raftnode

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"sync"

	"github.com/firesteel/firesteel/internal/delay"
	"github.com/hashicorp/raft"
	bolterrors "go.etcd.io/bbolt/errors"
)

// boltStore is the store of raft-boltdb.
type boltStore interface {
	raft.LogStore
	raft.StableStore
	Close() error
}

// guard stands between raft and its store. Raft takes a failed write for a reason to step down and try again, for ever, or
// to panic; a wrong byte it does not see at all. So here every record carries a checksum, a write that finds no space waits
// for some, and every other failure ends the process with a message (Config.Fatal).
type guard struct {
	store boltStore
	dir   string
	space *space // nil: want of space is a failure like others

	mu    sync.Mutex
	ctx   context.Context // the node's; writes stop waiting when it ends
	fatal func(error)     // nil before the node runs: failures are only returned
}

// bind ties the guard to a node that starts.
func (g *guard) bind(ctx context.Context, fatal func(error)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ctx, g.fatal = ctx, fatal
}

func (g *guard) bound() (context.Context, func(error)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ctx == nil {
		return context.Background(), nil
	}
	return g.ctx, g.fatal
}

// write does a write until it succeeds, fails for another reason than want of space, or the node closes.
func (g *guard) write(what string, do func() error) error {
	ctx, _ := g.bound()
	waiting := false
	for {
		err := safely(do)
		if err == nil || g.space == nil || !isNoSpace(err) || ctx.Err() != nil {
			if waiting {
				g.space.waitsFor(-1)
			}
			return g.settle(what, err)
		}
		if g.space.ranOut(err) {
			continue
		}
		if !waiting {
			waiting = true
			g.space.waitsFor(+1)
		}
		delay.For(ctx, spaceRetry)
	}
}

// read does a read.
func (g *guard) read(what string, do func() error) error { return g.settle(what, safely(do)) }

// settle ends the process for an error that raft cannot live with.
func (g *guard) settle(what string, err error) error {
	if err == nil || errors.Is(err, raft.ErrLogNotFound) || errors.Is(err, bolterrors.ErrDatabaseNotOpen) || isNotFound(err) {
		return err
	}
	ctx, fatal := g.bound()
	if !errors.Is(err, ErrCorrupt) {
		err = fmt.Errorf("%w: %s in %s: %w; check the disk, then restart", ErrDisk, what, g.dir, err)
	}
	if fatal != nil && ctx.Err() == nil {
		fatal(err)
	}
	return err
}

// isNotFound recognises the answer of a stable store without the key, which raft knows by its text.
func isNotFound(err error) bool { return err.Error() == "not found" }

// safely turns a fault in the mapped file (a read error of the disk arrives as a signal) and a panic of bbolt into an error.
func safely(do func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		switch p := recover().(type) {
		case nil:
		case error:
			err = fmt.Errorf("the log file cannot be used: %w", p)
		default:
			err = fmt.Errorf("the log file cannot be used: %v", p)
		}
	}()
	return do()
}

// FirstIndex implements raft.LogStore.
func (g *guard) FirstIndex() (index uint64, err error) {
	err = g.read("find the first entry", func() (err error) { index, err = g.store.FirstIndex(); return err })
	return index, err
}

// LastIndex implements raft.LogStore.
func (g *guard) LastIndex() (index uint64, err error) {
	err = g.read("find the last entry", func() (err error) { index, err = g.store.LastIndex(); return err })
	return index, err
}

// GetLog implements raft.LogStore.
func (g *guard) GetLog(index uint64, entry *raft.Log) error {
	return g.read("read an entry", func() error {
		if err := g.store.GetLog(index, entry); err != nil {
			if errors.Is(err, raft.ErrLogNotFound) {
				return err
			}
			return corrupt(g.dir, "entry %d cannot be decoded: %v", index, err)
		}
		if err := unseal(index, entry); err != nil {
			return corrupt(g.dir, "%v", err)
		}
		return nil
	})
}

// StoreLog implements raft.LogStore.
func (g *guard) StoreLog(entry *raft.Log) error { return g.StoreLogs([]*raft.Log{entry}) }

// StoreLogs implements raft.LogStore.
func (g *guard) StoreLogs(entries []*raft.Log) error {
	sealed := make([]*raft.Log, len(entries))
	for i, e := range entries {
		sealed[i] = seal(e)
	}
	return g.write("append to the log", func() error { return g.store.StoreLogs(sealed) })
}

// DeleteRange implements raft.LogStore.
func (g *guard) DeleteRange(first, last uint64) error {
	return g.write("drop old entries", func() error { return g.store.DeleteRange(first, last) })
}

// Set implements raft.StableStore.
func (g *guard) Set(key, value []byte) error {
	err := g.write("store "+string(key), func() error { return g.store.Set(sealedKey(key), sealValue(key, value)) })
	if ctx, _ := g.bound(); err != nil && ctx.Err() != nil {
		// Raft panics over a term that cannot be stored. The node is closing and may not: Close does not wait for so long.
		delay.For(context.Background(), 2*shutdownTimeout)
	}
	return err
}

// Get implements raft.StableStore.
func (g *guard) Get(key []byte) (value []byte, err error) {
	err = g.read("read "+string(key), func() (err error) {
		stored, err := g.store.Get(sealedKey(key))
		if err != nil && isNotFound(err) {
			value, err = g.store.Get(key) // as releases before checksums wrote it
			return err
		}
		if err != nil {
			return err
		}
		var ok bool
		if value, ok = unsealValue(key, stored); !ok {
			return corrupt(g.dir, "the checksum of %s is wrong", key)
		}
		return nil
	})
	return value, err
}

// SetUint64 implements raft.StableStore.
func (g *guard) SetUint64(key []byte, value uint64) error {
	return g.Set(key, uint64Bytes(value))
}

// GetUint64 implements raft.StableStore.
func (g *guard) GetUint64(key []byte) (uint64, error) {
	value, err := g.Get(key)
	if err != nil {
		return 0, err
	}
	number, ok := uint64From(value)
	if !ok {
		return 0, g.settle("read "+string(key), corrupt(g.dir, "%s has %d bytes", key, len(value)))
	}
	return number, nil
}

// Close closes the store.
func (g *guard) Close() error { return safely(g.store.Close) }

// corrupt is an ErrCorrupt that says what to do.
func corrupt(dir, format string, args ...any) error {
	return fmt.Errorf("%w: %s: %s; move this directory away and start with an empty one: the other masters send what they have "+
		"(a master that is alone needs a copy of the directory from before)", ErrCorrupt, dir, fmt.Sprintf(format, args...))
}

// exists tells whether there is something at path.
func exists(path string) bool { _, err := os.Lstat(path); return err == nil }
