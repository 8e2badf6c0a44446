package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/firesteel/firesteel/internal/lease"
	"github.com/firesteel/firesteel/rpc"
	"github.com/firesteel/firesteel/rpc/clusterpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// ErrRefused says that the leader will not have this worker: another one holds its id or address, or it offers nothing.
var ErrRefused = errors.New("the master refused this worker")

var (
	// errStaleLeader ends a session with a leader whose term is over.
	errStaleLeader = errors.New("the leader's term is over")
	// errNoWelcome ends the attempt to open a session.
	errNoWelcome = errors.New("no answer")
)

// commands is what a session may do with this worker.
type commands interface {
	hello() *clusterpb.Hello
	launch(l *clusterpb.LaunchExecutor)
	kill(k *clusterpb.KillExecutor)
	applicationFinished(appID string)
	acknowledged(a *clusterpb.ExecutorAck)
	decommission()
	recommission()
	launchDriver(l *clusterpb.LaunchDriver)
	killDriver(runID string)
	driverAcknowledged(runID string)
}

// session is the worker's side of its life with one leader: it opens with the full list of what runs, sends reports and
// heartbeats, and obeys commands of a term that is not smaller than any it has obeyed.
type session struct {
	log    *slog.Logger
	do     commands
	fence  *fence
	outbox *outbox
	lease  *lease.Lease
}

// fence remembers the highest term that was obeyed. A deposed leader cannot start anything here.
type fence struct {
	mu   sync.Mutex
	term uint64
}

// admit tells whether a command of this term may be obeyed, and remembers the term.
func (f *fence) admit(term uint64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if term < f.term {
		return false
	}
	f.term = term
	return true
}

func (f *fence) seen() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.term
}

// connectTimeout bounds the time from the dial to Welcome.
const connectTimeout = 5 * time.Second

// run is one session with the master at addr; welcomed is called once it is open. It returns when the session is over.
func (s *session) run(ctx context.Context, addr string, welcomed func(*clusterpb.Welcome, uint64)) error {
	conn, err := rpc.NewConn(addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	late := time.AfterFunc(connectTimeout, func() { cancel(fmt.Errorf("%w within %s", errNoWelcome, connectTimeout)) })
	defer late.Stop()
	stream, err := clusterpb.NewWorkersClient(conn).Session(ctx)
	if err != nil {
		return s.reason(ctx, nil, addr, err)
	}
	s.outbox.take() // all of it is in the list that goes first
	helloSent := time.Now()
	if err := stream.Send(&clusterpb.WorkerMessage{Message: &clusterpb.WorkerMessage_Hello{Hello: s.do.hello()}}); err != nil {
		return s.reason(ctx, stream, addr, err)
	}
	first, err := stream.Recv()
	if err != nil {
		return s.reason(ctx, stream, addr, err)
	}
	if !late.Stop() {
		return s.reason(ctx, stream, addr, context.Cause(ctx))
	}
	welcome := first.GetWelcome()
	if welcome == nil || !s.fence.admit(first.GetTerm()) {
		return fmt.Errorf("session with %s: %w", addr, errStaleLeader)
	}
	s.lease.Begin(helloSent)
	welcomed(welcome, first.GetTerm())
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		s.send(ctx, stream, time.Duration(welcome.GetHeartbeatMs())*time.Millisecond)
	}()
	err = s.receive(stream)
	cancel(err)
	<-sent
	return s.reason(ctx, stream, addr, err)
}

type clientStream = grpc.BidiStreamingClient[clusterpb.WorkerMessage, clusterpb.MasterMessage]

// reason prefers the status that the master ended the stream with, then why we ended it.
func (s *session) reason(ctx context.Context, stream clientStream, addr string, err error) error {
	if cause := context.Cause(ctx); cause != nil && status.Code(err) == codes.Canceled {
		err = cause
	}
	if stream != nil && errors.Is(err, io.EOF) { // a Send on a stream that has ended; Recv knows why
		_, err = stream.Recv()
	}
	switch status.Code(err) {
	case codes.AlreadyExists, codes.InvalidArgument:
		return fmt.Errorf("%w: %s", ErrRefused, status.Convert(err).Message())
	}
	return fmt.Errorf("session with %s: %w", addr, err)
}

func (s *session) receive(stream clientStream) error {
	for {
		m, err := stream.Recv()
		if err != nil {
			return err
		}
		if !s.fence.admit(m.GetTerm()) {
			return errStaleLeader
		}
		switch m := m.GetMessage().(type) {
		case *clusterpb.MasterMessage_LaunchExecutor:
			s.do.launch(m.LaunchExecutor)
		case *clusterpb.MasterMessage_KillExecutor:
			s.do.kill(m.KillExecutor)
		case *clusterpb.MasterMessage_ApplicationFinished:
			s.do.applicationFinished(m.ApplicationFinished.GetAppId())
		case *clusterpb.MasterMessage_ExecutorAck:
			s.do.acknowledged(m.ExecutorAck)
		case *clusterpb.MasterMessage_LaunchDriver:
			s.do.launchDriver(m.LaunchDriver)
		case *clusterpb.MasterMessage_KillDriver:
			s.do.killDriver(m.KillDriver.GetRunId())
		case *clusterpb.MasterMessage_DriverAck:
			s.do.driverAcknowledged(m.DriverAck.GetRunId())
		case *clusterpb.MasterMessage_HeartbeatAck:
			s.lease.Acknowledged(m.HeartbeatAck.GetSequence())
		case *clusterpb.MasterMessage_Decommission:
			s.do.decommission()
		case *clusterpb.MasterMessage_Recommission:
			s.do.recommission()
		}
	}
}

// send writes reports and heartbeats until the session is over. Reports that come too late are in the next Hello.
func (s *session) send(ctx context.Context, stream clientStream, every time.Duration) {
	if every <= 0 {
		every = 2 * time.Second
	}
	beat := time.NewTicker(every)
	defer beat.Stop()
	for sequence := uint64(1); ; {
		var msgs []*clusterpb.WorkerMessage
		select {
		case <-s.outbox.wake:
			msgs = s.outbox.take()
		case <-beat.C:
			s.lease.Beat(sequence)
			msgs = []*clusterpb.WorkerMessage{{Message: &clusterpb.WorkerMessage_Heartbeat{Heartbeat: &clusterpb.Heartbeat{Sequence: sequence}}}}
			sequence++
		case <-ctx.Done():
			return
		}
		for _, m := range msgs {
			if err := stream.Send(m); err != nil {
				return // receive sees why
			}
		}
	}
}
