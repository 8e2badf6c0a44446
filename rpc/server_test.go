package rpc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/firesteel/firesteel/rpc/clusterpb"
	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

// fakeMaster answers by functions and remembers what it was given.
type fakeMaster struct {
	apply  func(ctx context.Context, cmd []byte) ([]byte, uint64, error)
	read   func(ctx context.Context) (uint64, error)
	err    error // of the others
	called chan any
}

type relayed struct {
	Peer     SparkAddress
	Endpoint string
	Payloads [][]byte
}

func (f *fakeMaster) ApplyLocal(ctx context.Context, cmd []byte) ([]byte, uint64, error) {
	return f.apply(ctx, cmd)
}
func (f *fakeMaster) ReadIndex(ctx context.Context) (uint64, error) { return f.read(ctx) }
func (f *fakeMaster) Promise(_ context.Context, p Proposal) error   { f.called <- p; return f.err }
func (f *fakeMaster) PeerGone(_ context.Context, p SparkAddress) error {
	f.called <- p
	return f.err
}
func (f *fakeMaster) Relay(_ context.Context, peer SparkAddress, endpoint string, payloads [][]byte) error {
	f.called <- relayed{peer, endpoint, payloads}
	return f.err
}

// fakeWorkers holds sessions open until they are ended, and takes its time then.
type fakeWorkers struct {
	clusterpb.UnimplementedWorkersServer
	open, told, release chan struct{}
}

func (f *fakeWorkers) Session(s clusterpb.Workers_SessionServer) error {
	close(f.open)
	<-s.Context().Done()
	close(f.told)
	<-f.release
	return s.Context().Err()
}

// running is a server on a shared port, as a master has it, and a pool to call it by.
func running(t *testing.T, m Master, w clusterpb.WorkersServer) (*Server, *Pool, string) {
	t.Helper()
	ln, err := Listen("gRPC", "127.0.0.1", 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	grpc, raft := Share(ln)
	if w == nil {
		w = clusterpb.UnimplementedWorkersServer{}
	}
	s, pool := NewServer(ServerConfig{Master: m, Workers: w}), NewPool()
	s.Serve(grpc)
	t.Cleanup(func() {
		pool.Close()
		if err := errors.Join(s.Close(), raft.Close()); err != nil {
			t.Error(err)
		}
	})
	return s, pool, addr
}

func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func await[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s", what)
		panic("not reached")
	}
}

func TestCallsArriveAsTheyWereMade(t *testing.T) {
	t.Parallel()
	f := &fakeMaster{
		apply: func(_ context.Context, cmd []byte) ([]byte, uint64, error) {
			return append([]byte("done "), cmd...), 42, nil
		},
		read:   func(context.Context) (uint64, error) { return 1 << 40, nil },
		called: make(chan any, 1),
	}
	_, pool, addr := running(t, f, nil)
	ctx := soon(t)
	if got, index, err := pool.Propose(ctx, addr, []byte("this")); err != nil || string(got) != "done this" || index != 42 {
		t.Errorf("Propose: %q at %d, %v", got, index, err)
	}
	if got, err := pool.ReadIndex(ctx, addr); err != nil || got != 1<<40 {
		t.Errorf("ReadIndex: %d, %v", got, err)
	}
	peer := SparkAddress{"w7", 41001}
	proposal := Proposal{Proposer: "m1", Expect: 3, Servers: []Candidate{{"m1", "h1:7078"}, {"m2", "h2:7078"}}}
	relay := relayed{peer, "AppClient", [][]byte{{1}, {2, 3}}}
	if err := pool.Promise(ctx, addr, proposal); err != nil {
		t.Error(err)
	}
	if got := await(t, f.called, "the promise"); !reflect.DeepEqual(got, proposal) {
		t.Errorf("proposed %+v", got)
	}
	if err := pool.Relay(ctx, addr, peer, relay.Endpoint, relay.Payloads); err != nil {
		t.Error(err)
	}
	if got := await(t, f.called, "the relay"); !reflect.DeepEqual(got, relay) {
		t.Errorf("relayed %+v", got)
	}
	if err := pool.PeerGone(ctx, addr, peer); err != nil {
		t.Error(err)
	}
	if got := await(t, f.called, "the note"); got != peer {
		t.Errorf("gone: %+v", got)
	}
}

// What a caller decides by comes through: who leads, whether a peer is there, whether to ask again.
func TestErrorsKeepWhatCallersDecideBy(t *testing.T) {
	t.Parallel()
	given := make(chan error, 1)
	f := &fakeMaster{apply: func(context.Context, []byte) ([]byte, uint64, error) { return nil, 0, <-given }}
	_, pool, addr := running(t, f, nil)
	known := &NotLeaderError{LeaderID: "m2", LeaderRPC: "h2:7078", Term: 7}
	unknown := &NotLeaderError{Term: 8}
	for _, c := range []struct {
		given error
		code  codes.Code
		want  *NotLeaderError
		text  string
	}{
		{known, codes.FailedPrecondition, known, "m2 does, at h2:7078"},
		{unknown, codes.FailedPrecondition, unknown, "knows of no leader"},
		{fmt.Errorf("propose: %w", known), codes.FailedPrecondition, known, "m2"},
		{fmt.Errorf("forward: %w", known.GRPCStatus().Err()), codes.FailedPrecondition, known, "m2"},
		{fmt.Errorf("x: %w", ErrNoPeer), codes.NotFound, nil, "no connection"},
		{fmt.Errorf("x: %w", context.DeadlineExceeded), codes.DeadlineExceeded, nil, "deadline"},
		{errors.New("leadership lost while committing"), codes.Unavailable, nil, "leadership lost while committing"},
	} {
		given <- c.given
		_, _, err := pool.Propose(soon(t), addr, nil)
		if status.Code(err) != c.code || !strings.Contains(err.Error(), c.text) || !strings.Contains(err.Error(), addr) {
			t.Errorf("%v came as %v (%s)", c.given, err, status.Code(err))
		}
		got, ok := NotLeader(err)
		if ok != (c.want != nil) || ok && *got != *c.want {
			t.Errorf("%v: not the leader, but %+v", c.given, got)
		}
	}
}

func TestNotLeaderOfOtherErrors(t *testing.T) {
	t.Parallel()
	for _, err := range []error{nil, errors.New("x"), status.Error(codes.FailedPrecondition, "promised to another")} {
		if n, ok := NotLeader(err); ok {
			t.Errorf("%v: %+v", err, n)
		}
	}
	own := &NotLeaderError{LeaderID: "m1", LeaderRPC: "h:1", Term: 1}
	if n, ok := NotLeader(fmt.Errorf("x: %w", own)); !ok || n != own {
		t.Errorf("got %+v", n)
	}
}

func TestARefusedPromiseAndAMissingPeer(t *testing.T) {
	t.Parallel()
	f := &fakeMaster{err: fmt.Errorf("relay: %w", ErrNoPeer), called: make(chan any, 8)}
	_, pool, addr := running(t, f, nil)
	if err := pool.Relay(soon(t), addr, SparkAddress{"w", 1}, "AppClient", nil); !errors.Is(err, ErrNoPeer) || !strings.Contains(err.Error(), addr) {
		t.Errorf("Relay: %v", err)
	}
	if err := pool.Promise(soon(t), addr, Proposal{}); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("Promise: %v", err)
	}
	f.err = errors.New("busy")
	if err := pool.Relay(soon(t), addr, SparkAddress{"w", 1}, "AppClient", nil); errors.Is(err, ErrNoPeer) || status.Code(err) != codes.Unavailable {
		t.Errorf("Relay: %v", err)
	}
	if err := pool.PeerGone(soon(t), addr, SparkAddress{"w", 1}); status.Code(err) != codes.Unavailable {
		t.Errorf("PeerGone: %v", err)
	}
}

// The caller's deadline reaches the master that works for it.
func TestDeadlinesTravel(t *testing.T) {
	t.Parallel()
	ended := make(chan error, 1)
	f := &fakeMaster{called: make(chan any, 1), read: func(ctx context.Context) (uint64, error) {
		if _, ok := ctx.Deadline(); !ok {
			t.Error("no deadline")
		}
		<-ctx.Done()
		ended <- ctx.Err()
		return 0, ctx.Err()
	}}
	_, pool, addr := running(t, f, nil)
	// The connection is made first: on a busy machine that alone can take longer than the deadline.
	if err := pool.Promise(soon(t), addr, Proposal{}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := pool.ReadIndex(ctx, addr); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("got %v", err)
	}
	if err := await(t, ended, "the end of the work"); err == nil {
		t.Error("the work went on")
	}
}

func TestMessageSizes(t *testing.T) {
	t.Parallel()
	f := &fakeMaster{apply: func(_ context.Context, cmd []byte) ([]byte, uint64, error) { return cmd[:len(cmd)/2], 1, nil }}
	_, pool, addr := running(t, f, nil)
	large := bytes.Repeat([]byte{7}, 8<<20) // over gRPC's own limit of 4 MiB, both ways
	if got, _, err := pool.Propose(soon(t), addr, large); err != nil || len(got) != len(large)/2 {
		t.Errorf("8 MiB: %d bytes, %v", len(got), err)
	}
	if _, _, err := pool.Propose(soon(t), addr, make([]byte, maxMessage+1)); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("over the limit: %v", err)
	}
	if got, _, err := pool.Propose(soon(t), addr, []byte("ok")); err != nil || string(got) != "o" {
		t.Errorf("and after it: %q, %v", got, err)
	}
}

func TestPoolErrors(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := ln.Addr().String()
	ln.Close()
	pool := NewPool()
	if _, err := pool.ReadIndex(soon(t), nobody); status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), nobody) {
		t.Errorf("nobody there: %v", err)
	}
	pool.Close()
	pool.Close()
	ctx := soon(t)
	_, _, propose := pool.Propose(ctx, nobody, nil)
	_, read := pool.ReadIndex(ctx, nobody)
	for name, err := range map[string]error{
		"Propose": propose, "ReadIndex": read, "Promise": pool.Promise(ctx, nobody, Proposal{}),
		"Relay": pool.Relay(ctx, nobody, SparkAddress{}, "x", nil), "PeerGone": pool.PeerGone(ctx, nobody, SparkAddress{}),
	} {
		if !errors.Is(err, errPoolClosed) {
			t.Errorf("%s after Close: %v", name, err)
		}
	}
}

// A master that comes back at its address is reached by the connection that the pool has.
func TestThePoolFindsARestartedMaster(t *testing.T) {
	t.Parallel()
	f := &fakeMaster{read: func(context.Context) (uint64, error) { return 1, nil }}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	pool := NewPool()
	defer pool.Close()
	for range 3 {
		s := NewServer(ServerConfig{Master: f, Workers: clusterpb.UnimplementedWorkersServer{}})
		s.Serve(ln)
		ctx := soon(t)
		for {
			// UNAVAILABLE is what callers ask again after.
			_, err = pool.ReadIndex(ctx, addr)
			if status.Code(err) != codes.Unavailable {
				break
			}
		}
		if err := errors.Join(err, s.Close()); err != nil {
			t.Fatal(err)
		}
		if ln, err = net.Listen("tcp", addr); err != nil {
			t.Skip("somebody else took the port: ", err)
		}
	}
	ln.Close()
}

// Close ends sessions and waits for their handlers.
func TestCloseEndsSessions(t *testing.T) {
	t.Parallel()
	w := &fakeWorkers{open: make(chan struct{}), told: make(chan struct{}), release: make(chan struct{})}
	s, _, addr := running(t, &fakeMaster{}, w)
	c, err := NewConn(addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	stream, err := clusterpb.NewWorkersClient(c).Session(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	await(t, w.open, "the session")
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	await(t, w.told, "the end of the session's context")
	select {
	case <-closed:
		t.Error("Close did not wait for the handler")
		closed <- nil
	case <-time.After(50 * time.Millisecond): // longer than a Close that does not wait takes
	}
	close(w.release)
	if err := await(t, closed, "Close"); err != nil {
		t.Error(err)
	}
	if _, err := stream.Recv(); err == nil {
		t.Error("the session goes on")
	}
}

func TestCloseOfAServerThatNeverServed(t *testing.T) {
	t.Parallel()
	s := NewServer(ServerConfig{Master: &fakeMaster{}, Workers: clusterpb.UnimplementedWorkersServer{}})
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
