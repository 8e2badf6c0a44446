package raftnode

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/hashicorp/raft"
)

// Pauses between attempts that failed although a leader is known; each is jittered by half.
const (
	firstPause = 10 * time.Millisecond
	maxPause   = 250 * time.Millisecond
)

// noSpacePatience is how long a command waits for a leader without space to hand leadership to one that has some.
const noSpacePatience = 2 * time.Second

// Propose has cmd committed and applied, wherever the leader is, and returns the machine's result with the index of its log
// entry. While there is no leader, or the leader is lost on the way, it holds the command and proposes the same bytes again,
// for at most Config.Hold: so cmd must carry a request id by which the machine knows a repetition.
//
// It returns ErrNoLeader when the hold has passed, ErrNoSpace, ErrClosed, the cause of ctx, or what the leader's Forward answered. After
// any of these but ErrCommandTooLarge the command may still have been committed.
func (n *Node) Propose(ctx context.Context, cmd []byte) (result []byte, index uint64, err error) {
	if len(cmd) > MaxCommandBytes {
		return nil, 0, fmt.Errorf("%w: %d bytes, at most %d", ErrCommandTooLarge, len(cmd), MaxCommandBytes)
	}
	err = n.hold(ctx, "command", func(ctx context.Context, leaderID, leaderAddr string) (err error) {
		if leaderID == n.cfg.ID {
			result, index, err = n.applyLocal(ctx, n.watchOwnLead, cmd)
			return err
		}
		return n.try(ctx, leaderID, func(ctx context.Context) (err error) {
			result, index, err = n.cfg.Forwarder.Forward(ctx, leaderID, leaderAddr, cmd)
			return err
		})
	})
	if err != nil {
		return nil, 0, err
	}
	return result, index, nil
}

// ApplyLocal proposes cmd if this node leads: the leader's side of Forward. Otherwise it returns a *NotLeaderError; an error
// that wraps ErrUnavailable or ErrStalled says that the outcome is unknown and that the same bytes should be tried again.
func (n *Node) ApplyLocal(ctx context.Context, cmd []byte) (result []byte, index uint64, err error) {
	return n.applyLocal(ctx, nil, cmd)
}

func (n *Node) applyLocal(ctx context.Context, watch watcher, cmd []byte) (result []byte, index uint64, err error) {
	if err := n.isOpen(); err != nil {
		return nil, 0, err
	}
	if n.raft.State() != raft.Leader {
		return nil, 0, n.notLeader()
	}
	if err := n.space.refusal(); err != nil {
		return nil, 0, err
	}
	if n.gate.isShut() {
		return nil, 0, ErrStalled
	}
	result, index, err = n.batch.submit(ctx, watch, cmd)
	if errors.Is(err, ErrNotLeader) {
		err = n.notLeader()
	}
	return result, index, err
}

// isOpen returns ErrClosed once the node has stopped. While Close hands leadership over, requests still go through.
func (n *Node) isOpen() error {
	if n.ctx.Err() != nil {
		return ErrClosed
	}
	return nil
}

func (n *Node) notLeader() error {
	id, addr := n.Leader()
	if id == n.cfg.ID {
		id, addr = "", "" // an election is under way
	}
	return &NotLeaderError{LeaderID: id, LeaderAddr: addr}
}

// hold runs attempt against the leader until it succeeds or fails for good. It waits for a leader by event, and pauses only
// after an attempt that failed with the leader it knew.
func (n *Node) hold(ctx context.Context, what string, attempt func(ctx context.Context, leaderID, leaderAddr string) error) error {
	begin := time.Now()
	held, cancel := context.WithTimeoutCause(ctx, n.cfg.Hold, ErrNoLeader)
	defer cancel()
	var last error
	for tries, pause := 0, firstPause; ; {
		if err := n.isOpen(); err != nil {
			return err
		}
		id, addr, changed := n.view.get()
		var retry <-chan time.Time
		if id != "" && (id == n.cfg.ID || n.cfg.Forwarder != nil) {
			tries++
			err := attempt(held, id, addr)
			if err == nil {
				return nil
			}
			last = err
			if held.Err() != nil {
				return n.heldTooLong(ctx, what, time.Since(begin), tries, last)
			}
			if !retryable(err) || errors.Is(err, ErrNoSpace) && time.Since(begin) > noSpacePatience {
				return err
			}
			retry = time.After(pause/2 + rand.N(pause))
			pause = min(2*pause, maxPause)
		}
		select {
		case <-changed:
			pause = firstPause
		case <-retry:
		case <-n.ctx.Done():
			return ErrClosed
		case <-held.Done():
			return n.heldTooLong(ctx, what, time.Since(begin), tries, last)
		}
	}
}

// watchOwnLead tells whether this node still leads, as far as it knows, and gives a channel that closes when that may
// have changed.
func (n *Node) watchOwnLead() (changed <-chan struct{}, lost bool) {
	id, _, changed := n.view.get()
	return changed, id != n.cfg.ID
}

// try runs one attempt with another node and cancels it when the leader changes: a leader that hangs must not keep what
// a new one can do.
func (n *Node) try(ctx context.Context, id string, attempt func(ctx context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go n.cancelOnNewLeader(ctx, id, cancel)
	err := attempt(ctx)
	if err != nil && errors.Is(context.Cause(ctx), errLeaderChanged) {
		return fmt.Errorf("%w: %w", ErrUnavailable, errLeaderChanged)
	}
	return err
}

var errLeaderChanged = errors.New("the leader changed meanwhile")

func (n *Node) cancelOnNewLeader(ctx context.Context, id string, cancel context.CancelCauseFunc) {
	for {
		now, _, changed := n.view.get()
		if now != id {
			cancel(errLeaderChanged)
			return
		}
		select {
		case <-changed:
		case <-n.ctx.Done():
			cancel(ErrClosed)
			return
		case <-ctx.Done():
			return
		}
	}
}

// heldTooLong says why hold gave up: the caller's ctx, or the hold itself.
func (n *Node) heldTooLong(ctx context.Context, what string, held time.Duration, tries int, last error) error {
	reason := ErrNoLeader
	if ctx.Err() != nil {
		reason = context.Cause(ctx)
	}
	id, _ := n.Leader()
	if id == "" {
		id = "unknown"
	}
	held = held.Round(time.Millisecond)
	if last == nil || errors.Is(last, ErrNoLeader) {
		return fmt.Errorf("%w: %s held for %s, %d attempts; leader now: %s", reason, what, held, tries, id)
	}
	return fmt.Errorf("%w: %s held for %s, %d attempts; leader now: %s; last attempt: %w", reason, what, held, tries, id, last)
}
