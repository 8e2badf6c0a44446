package worker

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/firesteel/firesteel/internal/delay"
	"github.com/firesteel/firesteel/rpc"
)

// Pauses between rounds in which no master led; they double up to the last.
const (
	firstRetry = 20 * time.Millisecond
	lastRetry  = time.Second
)

// search finds the leader among the masters: the one that the cluster's own view names first, the others after it, and
// whichever one of them points to.
type search struct {
	ask   func(ctx context.Context) ([]string, error) // gRPC addresses, the likely leader first
	log   *slog.Logger
	queue []string
	known []string
	pause time.Duration
	hints int // in a row; two masters that point at each other must not make us spin
}

func newSearch(ask func(ctx context.Context) ([]string, error), log *slog.Logger) *search {
	return &search{ask: ask, log: log}
}

// next gives the address to try now; ok is false when ctx has ended.
func (s *search) next(ctx context.Context) (addr string, ok bool) {
	for len(s.queue) == 0 {
		if !delay.For(ctx, s.pause) {
			return "", false
		}
		s.pause = min(max(2*s.pause, firstRetry), lastRetry)
		addrs, err := s.ask(ctx)
		if err == nil && len(addrs) > 0 {
			s.known = addrs
		} else if ctx.Err() == nil && s.pause == lastRetry {
			s.log.Warn("no master answers; what runs goes on", "error", err)
		}
		s.queue = slices.Clone(s.known)
	}
	addr, s.queue = s.queue[0], s.queue[1:]
	return addr, ctx.Err() == nil
}

// tried says how it went: opened is a session that has been open and is over now.
func (s *search) tried(addr string, opened bool, err error) {
	if opened {
		s.pause, s.hints, s.queue = 0, 0, nil
		return
	}
	n, ok := rpc.NotLeader(err)
	if !ok || n.LeaderRPC == "" || n.LeaderRPC == addr || s.hints > 2 {
		s.hints = 0
		s.log.Debug("no session", "master", addr, "error", err)
		return
	}
	s.hints++
	s.queue = append([]string{n.LeaderRPC}, slices.DeleteFunc(s.queue, func(a string) bool { return a == n.LeaderRPC })...)
}

func leaderFirst(v ClusterView) []string {
	var out []string
	for _, m := range v.Masters {
		if m.RPC == "" {
			continue
		}
		if m.Leader {
			out = append([]string{m.RPC}, out...)
		} else {
			out = append(out, m.RPC)
		}
	}
	return out
}
