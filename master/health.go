package master

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/internal/delay"
	"github.com/firesteel/firesteel/spark/messages"
	"github.com/firesteel/firesteel/spark/releases"
	"github.com/firesteel/firesteel/spark/rpcenv"
)

// A question asks a worker whether it is there, within ctx.
type question func(ctx context.Context, w *fsm.Worker) error

// errNoPing says that a worker's line cannot be asked.
var errNoPing = errors.New("no line that can be asked")

// How long a worker of one kind may take. The sums are what it takes to find out about one that froze just after it was
// heard of. A Go worker is silent for 1.2 s, seen within 0.2 s, and asked for 0.5 + 0.9 s: suspect after 1.4 s, dead after
// 2.8 s. A JVM worker says something every 15 s, so it is asked (every 1 s, in large clusters less often), for 1.5 s, and
// then twice for 1.5 + 2.5 s, since a JVM may stand still for a full collection of its garbage: suspect after 2.5 s, dead
// after 6.5 s. A leader that feels unwell takes up to half as long again for the two questions: 3.5 s for a Go worker.
type rules struct {
	limits [2]time.Duration // of the two questions that decide
	pings  bool             // it is asked though nothing is wrong
}

const (
	// goSilence is how long a Go worker may be silent: more than two heartbeats, or one and missedBy.
	goSilence = 1200 * time.Millisecond
	missedBy  = 650 * time.Millisecond
	// minSilence is how long a worker that is lost for silence must have been so, whatever made it a suspect.
	minSilence = goSilence
	// refusedPause is the time between two questions of which the first was refused.
	refusedPause = 50 * time.Millisecond
	// hintLimit: a worker that gossip misses becomes a suspect when it has not answered after this.
	hintLimit = 200 * time.Millisecond
	// pingLimit bounds a question over a line.
	pingLimit = 1500 * time.Millisecond
	// answerLimit bounds one question to a worker whose place is wanted by another.
	answerLimit = time.Second
	// maxUnwell is the largest score that counts. It is soon reached: in a small cluster a worker that froze is asked for its
	// help in probing others, and that it gives none counts as our fault.
	maxUnwell = 2
)

func rulesOf(k fsm.WorkerKind) rules {
	if k == fsm.WorkerJVM {
		return rules{limits: [2]time.Duration{1500 * time.Millisecond, 2500 * time.Millisecond}, pings: true}
	}
	return rules{limits: [2]time.Duration{500 * time.Millisecond, 900 * time.Millisecond}}
}

// silence is how long a worker may say nothing before it is a suspect. For Spark's own it is spark.worker.timeout.
func (r rules) silence(every, timeout time.Duration) time.Duration {
	if r.pings {
		return timeout
	}
	return max(goSilence, every+missedBy)
}

// heartbeats is how often a Go worker is to say that it is there: twice a second, in clusters of more than 500 less often,
// so that a leader has at most 1,000 heartbeats a second of 1,000 workers.
func heartbeats(workers int) time.Duration {
	return min(max(time.Duration(workers)*time.Millisecond, 500*time.Millisecond), time.Second)
}

// pingEvery is how often Spark's workers are asked over their lines: at most 100 questions a second in all. The caller holds mu.
func (l *liveness) pingEvery() time.Duration {
	return min(max(time.Duration(len(l.wards))*10*time.Millisecond, time.Second), 15*time.Second)
}

// stretched is a limit as this leader's own health asks for: where its own gossip probes fail, it may be the one that is slow.
func (l *liveness) stretched(limit time.Duration) time.Duration {
	return limit + limit*time.Duration(min(l.unwell(), maxUnwell))/4
}

// examine asks a worker until it answers, at most twice; the error is that of the second question. A question during which
// this process stood still does not count.
func (l *liveness) examine(ctx context.Context, w *fsm.Worker, x *ward) error {
	over := false
	slow := time.AfterFunc(hintLimit, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if !over && x.life == w.Incarnation {
			l.suspect(w, x, "no answer yet to a question")
		}
	})
	defer func() {
		slow.Stop()
		l.mu.Lock()
		defer l.mu.Unlock()
		over = true
	}()
	var err error
	limits := rulesOf(w.Kind).limits
	for try := 0; try < len(limits); {
		var counts bool
		if counts, err = l.askOnce(ctx, w, l.stretched(limits[try])); err == nil || ctx.Err() != nil {
			return err
		}
		if !counts {
			continue
		}
		if try++; try == 1 {
			l.mu.Lock()
			l.unanswered(ctx, w, x, err)
			l.mu.Unlock()
			if errors.Is(err, syscall.ECONNREFUSED) && !delay.For(ctx, refusedPause) {
				return ctx.Err()
			}
		}
	}
	return err
}

// askOnce asks on a connection of its own. It does not count when this process stood still meanwhile.
func (l *liveness) askOnce(ctx context.Context, w *fsm.Worker, limit time.Duration) (counts bool, err error) {
	select {
	case l.slots <- struct{}{}:
		defer func() { <-l.slots }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	before := l.stalledFor()
	err = within(ctx, limit, func(ctx context.Context) error { return l.ask(ctx, w) })
	return l.stalledFor() == before, err
}

func within(ctx context.Context, limit time.Duration, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no answer within %s", limit))
	defer cancel()
	err := f(ctx)
	if err != nil && errors.Is(err, context.DeadlineExceeded) {
		err = context.Cause(ctx)
	}
	return err
}

// startPing asks a worker over its line, where nothing is wrong. The caller does not hold mu.
func (l *liveness) startPing(ctx context.Context, w *fsm.Worker) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over || ctx.Err() != nil {
		return
	}
	x := l.ward(w.ID)
	x.pinging, x.pinged = true, time.Now()
	l.wg.Go(func() {
		before := l.stalledFor()
		err := within(ctx, pingLimit, func(ctx context.Context) error { return l.ping(ctx, w) })
		if err == nil {
			l.heard(w.ID)
		}
		l.mu.Lock()
		x.pinging = false
		doubt := err != nil && !errors.Is(err, errNoPing) && ctx.Err() == nil && x.life == w.Incarnation && l.stall.at(time.Now()) == before
		if doubt {
			l.suspect(w, x, fmt.Sprintf("a question over its line was not answered: %v", err))
		}
		l.mu.Unlock()
		if doubt {
			l.check(ctx, w)
		}
	})
}

// askNow asks a worker one question.
func (l *liveness) askNow(ctx context.Context, w *fsm.Worker) error {
	return within(ctx, answerLimit, func(ctx context.Context) error { return l.ask(ctx, w) })
}

// stalledFor is for how long this process has stood still in this term.
func (l *liveness) stalledFor() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stall.at(time.Now())
}

// stall adds up the time in which this process did not run although it should have: it was stopped, or starved of its
// processor. Its sign is a look that comes late.
type stall struct {
	last time.Time // the last look
	sum  time.Duration
}

// lateLook is how late a look may be before the delay counts.
const lateLook = 200 * time.Millisecond

func (s *stall) look(now time.Time) {
	s.sum, s.last = s.at(now), now
}

// at is the sum at a time; a look that should have been is late already.
func (s *stall) at(now time.Time) time.Duration {
	if late := now.Sub(s.last) - watchEvery; !s.last.IsZero() && late > lateLook {
		return s.sum + late
	}
	return s.sum
}

// askWorker asks a worker's Spark port for its endpoint, on a new connection. Go and JVM workers both have it; the answer
// comes from the process and not from its kernel, and costs it next to nothing.
func (m *Master) askWorker(ctx context.Context, w *fsm.Worker) error {
	dialect, err := m.workerDialect(w)
	if err != nil {
		return err
	}
	p, err := m.env.Dial(ctx, wireAddress(w.Host, w.Port), dialect)
	if err != nil {
		return err
	}
	defer p.Close()
	return askEndpoint(ctx, p, w)
}

// pingWorker asks a JVM worker over the line that it has.
func (d *duties) pingWorker(ctx context.Context, w *fsm.Worker) error {
	line, ok := d.dispatch.attachedLine(w.ID)
	if !ok {
		return errNoPing
	}
	jvm, ok := line.(*jvmLine)
	if !ok {
		return errNoPing
	}
	return askEndpoint(ctx, jvm.peer, w)
}

// askEndpoint asks Spark's RpcEndpointVerifier, which every process with an RpcEnv has and which changes nothing.
func askEndpoint(ctx context.Context, p *rpcenv.Peer, w *fsm.Worker) error {
	reply, err := p.Ask(ctx, rpcenv.Verifier, &messages.CheckExistence{Name: workerEndpoint})
	if err != nil {
		return err
	}
	if yes, ok := reply.(*messages.Boolean); !ok || !yes.Value {
		return fmt.Errorf("%s:%d is not a Spark worker any more", w.Host, w.Port)
	}
	return nil
}

func (m *Master) workerDialect(w *fsm.Worker) (rpcenv.Dialect, error) {
	if w.Kind == fsm.WorkerJVM {
		return dialectOf(w.Builds[0], w.Ref)
	}
	// A Go worker understands every table that we have.
	tables := releases.Tables()
	return rpcenv.Dialect{Table: tables[len(tables)-1]}, nil
}
