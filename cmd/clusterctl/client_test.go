package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/firesteel/firesteel/rpc"
	"github.com/firesteel/firesteel/rpc/clusterpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// fakeMaster answers ShowDriver and WatchDriver as a test wants it.
type fakeMaster struct {
	clusterpb.UnimplementedAdminServer
	addr  string
	asked atomic.Int32
	show  func(ctx context.Context) error
	watch func(stream clusterpb.Admin_WatchDriverServer) error
	log   func(r *clusterpb.ReadLogRequest) (*clusterpb.ReadLogReply, error)
}

func (f *fakeMaster) ReadLog(_ context.Context, r *clusterpb.ReadLogRequest) (*clusterpb.ReadLogReply, error) {
	return f.log(r)
}

func (f *fakeMaster) ShowDriver(ctx context.Context, r *clusterpb.ShowDriverRequest) (*clusterpb.ShowDriverReply, error) {
	f.asked.Add(1)
	if f.show != nil {
		if err := f.show(ctx); err != nil {
			return nil, err
		}
	}
	return &clusterpb.ShowDriverReply{Driver: &clusterpb.DriverView{Id: r.GetId(), WorkerId: f.addr}}, nil
}

func (f *fakeMaster) WatchDriver(_ *clusterpb.WatchDriverRequest, stream clusterpb.Admin_WatchDriverServer) error {
	f.asked.Add(1)
	return f.watch(stream)
}

func serve(t *testing.T, f *fakeMaster) *fakeMaster {
	t.Helper()
	ln := listen(t)
	f.addr = ln.Addr().String()
	s := grpc.NewServer()
	clusterpb.RegisterAdminServer(s, f)
	go func() { _ = s.Serve(ln) }() // ends with Stop
	t.Cleanup(s.Stop)
	return f
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

// frozen is a master whose kernel takes connections, and nobody says anything.
func frozen(t *testing.T) string { return listen(t).Addr().String() }

// gone is an address where nobody listens.
func gone(t *testing.T) string {
	ln := listen(t)
	ln.Close()
	return ln.Addr().String()
}

func clientOf(t *testing.T, timeout time.Duration, masters ...string) *client {
	t.Helper()
	c := &client{timeout: timeout, masters: masters, conns: map[string]*grpc.ClientConn{}}
	t.Cleanup(c.close)
	return c
}

// showDriver asks, and tells which master answered.
func showDriver(t *testing.T, c *client, turn func(context.Context, *client, func(context.Context, master) (string, error)) (string, error)) (string, time.Duration, error) {
	t.Helper()
	began := time.Now()
	who, err := turn(t.Context(), c, func(ctx context.Context, m master) (string, error) {
		r, err := m.admin.ShowDriver(ctx, &clusterpb.ShowDriverRequest{Id: "d"})
		return r.GetDriver().GetWorkerId(), err
	})
	return who, time.Since(began), err
}

// slack is what a busy machine may add to a second or two.
const slack = 10 * time.Second

func TestMastersThatDoNotAnswerAreLeft(t *testing.T) {
	t.Parallel()
	hangs := serve(t, &fakeMaster{show: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }})
	follows := serve(t, &fakeMaster{show: func(context.Context) error { return (&rpc.NotLeaderError{LeaderID: "m9"}).GRPCStatus().Err() }})
	unwell := serve(t, &fakeMaster{show: func(context.Context) error { return status.Error(codes.Unavailable, "not now") }})
	old := serve(t, &fakeMaster{show: func(context.Context) error { return status.Error(codes.Unimplemented, "what?") }})
	good := serve(t, &fakeMaster{})
	for name, addr := range map[string]string{
		"frozen": frozen(t), "gone": gone(t), "hangs": hangs.addr, "follows": follows.addr, "unwell": unwell.addr, "old": old.addr,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := clientOf(t, time.Minute, addr, good.addr)
			who, took, err := showDriver(t, c, ask[string])
			if err != nil || who != good.addr || took > slack {
				t.Errorf("%s answered after %s: %v", who, took, err)
			}
			if c.list()[0] != good.addr {
				t.Error("the one that answers is not asked first from now on")
			}
		})
	}
}

// A refusal that any master would give is given by the first; a leader that comes late is waited for.
func TestAnswersAreTaken(t *testing.T) {
	t.Parallel()
	refuses := serve(t, &fakeMaster{show: func(context.Context) error { return status.Error(codes.NotFound, "no such driver") }})
	never := serve(t, &fakeMaster{})
	if _, _, err := showDriver(t, clientOf(t, time.Minute, refuses.addr, never.addr), ask[string]); exitCode(err) != exitNotFound || oneLine(err) != "no such driver" || never.asked.Load() != 0 {
		t.Errorf("%v; the other was asked %d times", err, never.asked.Load())
	}
	var calls atomic.Int32
	late := serve(t, &fakeMaster{show: func(context.Context) error {
		if calls.Add(1) < 4 {
			return status.Error(codes.Unavailable, "no leader")
		}
		return nil
	}})
	if who, _, err := showDriver(t, clientOf(t, time.Minute, late.addr), ask[string]); err != nil || who != late.addr {
		t.Errorf("%s, %v", who, err)
	}
}

// What must not be done twice is not asked of a second master while the first is thinking.
func TestAskOnce(t *testing.T) {
	t.Parallel()
	slow := serve(t, &fakeMaster{show: func(ctx context.Context) error {
		select {
		case <-time.After(hedgeAfter + time.Second): // longer than ask would wait
		case <-ctx.Done():
		}
		return nil
	}})
	second := serve(t, &fakeMaster{})
	who, _, err := showDriver(t, clientOf(t, time.Minute, gone(t), slow.addr, second.addr), askOnce[string])
	if err != nil || who != slow.addr || second.asked.Load() != 0 {
		t.Errorf("%s answered, %v; the second was asked %d times", who, err, second.asked.Load())
	}
}

func TestNobodyAnswers(t *testing.T) {
	t.Parallel()
	a, b := gone(t), gone(t)
	_, took, err := showDriver(t, clientOf(t, time.Minute, a, b), ask[string])
	if exitCode(err) != exitUnavailable || took > slack || !strings.Contains(oneLine(err), a) || !strings.Contains(oneLine(err), b) {
		t.Errorf("after %s: %v", took, err)
	}
	hangs := serve(t, &fakeMaster{show: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }})
	_, _, err = showDriver(t, clientOf(t, 100*time.Millisecond, hangs.addr), ask[string])
	if exitCode(err) != exitUnavailable || !strings.Contains(oneLine(err), "within 100ms") || !strings.Contains(oneLine(err), hangs.addr) {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = ask(ctx, clientOf(t, time.Minute, hangs.addr), func(ctx context.Context, m master) (*clusterpb.ShowDriverReply, error) {
		return m.admin.ShowDriver(ctx, &clusterpb.ShowDriverRequest{})
	})
	if exitCode(err) != exitInterrupted || oneLine(err) != "interrupted" {
		t.Errorf("interrupted: %v", err)
	}
}

// Who waits for a driver leaves a master that falls silent, breaks off, or does not know any more, and hears of the end once.
func TestAWaitLeavesSilentMasters(t *testing.T) {
	t.Parallel()
	running := &clusterpb.WatchDriverReply{Driver: &clusterpb.DriverView{Id: "d", State: "RUNNING", WorkerId: "w"}}
	over := &clusterpb.WatchDriverReply{Driver: &clusterpb.DriverView{Id: "d", State: "FAILED", EndedMs: 5}}
	silent := serve(t, &fakeMaster{watch: func(s clusterpb.Admin_WatchDriverServer) error {
		_ = s.Send(running)
		<-s.Context().Done()
		return nil
	}})
	breaks := serve(t, &fakeMaster{watch: func(s clusterpb.Admin_WatchDriverServer) error {
		_ = s.Send(running)
		return status.Error(codes.Unavailable, "no leader")
	}})
	good := serve(t, &fakeMaster{watch: func(s clusterpb.Admin_WatchDriverServer) error {
		_ = s.Send(running)
		return s.Send(over)
	}})
	var said []string
	w := watcher{client: clientOf(t, time.Second, frozen(t), silent.addr, breaks.addr, good.addr), id: "d", say: func(f string, a ...any) { said = append(said, f) }}
	d, err := w.run(t.Context())
	if err != nil || d.State != "FAILED" || len(said) != 1 || silent.asked.Load() != 1 || breaks.asked.Load() != 1 {
		t.Errorf("%+v, %v, said %d times", d, err, len(said))
	}
	var own *exitError
	if err := resultOf(d); !errors.As(err, &own) || own.code != exitDriverFailed {
		t.Errorf("%v", err)
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"h": "h:7078", "h:1": "h:1", "a, b:2 ,a": "a:7078 b:2", "[::1]": "[::1]:7078", "[::1]:5": "[::1]:5", "::1": "[::1]:7078",
	} {
		if got, err := parseAddresses(in); err != nil || strings.Join(got, " ") != want {
			t.Errorf("%q: %v, %v; want %s", in, got, err, want)
		}
	}
	for _, bad := range []string{"", ",", "h:", ":7078", "http://h:1", "a,,b"} {
		if got, err := parseAddresses(bad); err == nil {
			t.Errorf("%q is taken as %v", bad, got)
		}
	}
}

// Flags may stand behind arguments, but not behind a program that is submitted.
func TestFlagsComeFirst(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"x status -o json":                                     "x status --output json",
		"x app show ID -o json --stale":                        "x app show --output json --stale ID",
		"x -o json app show ID --timeout=3s X":                 "x -o json app show --timeout=3s ID X",
		"x logs -f D --tail 5":                                 "x logs --follow --tail 5 D",
		"x logs D -- -f":                                       "x logs -- D -f",
		"x driver submit -c a=b --conf=c=d a.jar --wait -o -c": "x driver submit --conf a=b --conf=c=d a.jar --wait -o -c",
		"x -a app driver kill D -a driver":                     "x -a app driver kill --address driver D",
		"x bogus D -o json":                                    "x bogus D -o json",
		"x masters remove m1 --force":                          "x masters remove --force m1",
		"x snapshot restore f --yes --keep --foreign ":         "x snapshot restore --yes --keep --foreign f",
	} {
		if got := flagsFirst(newApp(), strings.Fields(in)); !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("%s\nis %s\nwant %s", in, strings.Join(got, " "), want)
		}
	}
}

// Who follows a driver's output waits for it, has all of both runs, and is told where the second begins and what is missing.
func TestLogsAreFollowed(t *testing.T) {
	t.Parallel()
	type step struct {
		run, text string
		from      int64 // of what is left of the log
		ended     bool
		err       error
	}
	at := 0
	steps := []step{
		{err: status.Error(codes.FailedPrecondition, "on no worker now")}, {run: "r1"}, {run: "r1", text: "one"}, {err: status.Error(codes.Unavailable, "its pages do not answer")},
		{run: "r2", text: "two"}, {run: "r2", text: "two"}, {run: "r2", text: "two and more", from: 9}, {run: "r2", text: "two and more", from: 9, ended: true},
	}
	m := serve(t, &fakeMaster{log: func(r *clusterpb.ReadLogRequest) (*clusterpb.ReadLogReply, error) {
		s := steps[min(at, len(steps)-1)]
		at++
		if s.err != nil {
			return nil, s.err
		}
		size := int64(len(s.text))
		start := min(max(r.GetOffset(), s.from), size)
		return &clusterpb.ReadLogReply{Start: start, End: size, Total: size, Text: []byte(s.text[start:]), Subject: s.run, WorkerId: "w", Ended: s.ended}, nil
	}})
	var out, warned strings.Builder
	l := logReader{
		client: clientOf(t, 50*time.Millisecond, m.addr), request: &clusterpb.ReadLogRequest{DriverId: "r1"},
		write: func(b []byte) error { out.Write(b); return nil }, warn: func(f string, a ...any) { fmt.Fprintf(&warned, f+"\n", a...) },
	}
	if err := l.run(t.Context(), -1, true); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); got != "onetwoore" {
		t.Errorf("printed %q", got)
	}
	for _, want := range []string{"on no worker now; trying again", "from here on it is r2, on worker w", "some of it may be missing"} {
		if strings.Count(warned.String(), want) != 1 {
			t.Errorf("not warned once of %q:\n%s", want, warned.String())
		}
	}
	at = 0
	steps = []step{{run: "r1", text: "0123456789", ended: true}}
	out.Reset()
	l = logReader{client: l.client, request: &clusterpb.ReadLogRequest{DriverId: "r1"}, write: l.write, warn: l.warn}
	if err := l.run(t.Context(), 3, false); err != nil || out.String() != "789" {
		t.Errorf("the end of it is %q, %v", out.String(), err)
	}
}
