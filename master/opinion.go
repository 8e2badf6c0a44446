package master

import (
	"context"
	"sync"
	"time"

	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/rpc/clusterpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	// opinionTimeout bounds the whole question to another master, reachLimit its questions to workers.
	opinionTimeout = 5 * time.Second
	reachLimit     = 1500 * time.Millisecond
	// maxReach bounds the workers of one question, maxReachLimit its limit, reachAtOnce how many are asked at a time.
	maxReach      = 1000
	maxReachLimit = 10 * time.Second
	reachAtOnce   = 512
)

// secondOpinion is what this master tells a leader that doubts itself.
type secondOpinion struct {
	clusterpb.UnimplementedSecondOpinionServer
	m *Master
}

var _ clusterpb.SecondOpinionServer = secondOpinion{}

// Reach implements clusterpb.SecondOpinionServer.
func (o secondOpinion) Reach(ctx context.Context, r *clusterpb.ReachRequest) (*clusterpb.ReachReply, error) {
	limit := time.Duration(r.GetTimeoutMs()) * time.Millisecond
	if len(r.GetWorkerIds()) > maxReach || limit > maxReachLimit {
		return nil, status.Errorf(codes.InvalidArgument, "%d workers within %s: at most %d within %s", len(r.GetWorkerIds()), limit, maxReach, maxReachLimit)
	}
	var (
		mu  sync.Mutex
		wg  sync.WaitGroup
		out clusterpb.ReachReply
	)
	slots := make(chan struct{}, reachAtOnce)
	s := o.m.fsm.State()
	for _, id := range r.GetWorkerIds() {
		w, ok := s.Worker(id)
		if !ok || w.State == fsm.WorkerDead {
			continue
		}
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			if within(ctx, limit, func(ctx context.Context) error { return o.m.askWorker(ctx, w) }) == nil {
				mu.Lock()
				defer mu.Unlock()
				out.Answering = append(out.Answering, id)
			}
		})
	}
	wg.Wait()
	return &out, nil
}

// inspect has this leader's lead confirmed, and asks the other masters which of the workers answer them.
func (d *duties) inspect(ctx context.Context, workerIDs []string) inspection {
	ctx, cancel := context.WithTimeout(ctx, opinionTimeout)
	defer cancel()
	ids := workerIDs[:min(len(workerIDs), maxReach)]
	out := inspection{asked: len(ids), reached: map[string]map[string]bool{}}
	var mu sync.Mutex
	var wg sync.WaitGroup
	wg.Go(func() { out.lead = d.m.node.VerifyLeader(ctx, d.term) })
	for _, s := range d.m.node.Servers() {
		if s.ID == d.m.cfg.ID {
			continue
		}
		wg.Go(func() {
			answering, err := d.m.pool.Reach(ctx, s.Addr, ids, reachLimit)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				out.silent = append(out.silent, s.ID)
				return
			}
			out.reached[s.ID] = map[string]bool{}
			for _, id := range answering {
				out.reached[s.ID][id] = true
			}
		})
	}
	wg.Wait()
	return out
}
