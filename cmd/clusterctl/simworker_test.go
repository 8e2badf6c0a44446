package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/firesteel/firesteel/chaos/simapp"
	"github.com/firesteel/firesteel/rpc"
	"github.com/firesteel/firesteel/rpc/clusterpb"
	"github.com/firesteel/firesteel/spark/messages"
	"github.com/firesteel/firesteel/spark/releases"
	"github.com/firesteel/firesteel/spark/rpcenv"
	"github.com/firesteel/firesteel/spark/wire"
	"github.com/firesteel/firesteel/worker"
	"google.golang.org/grpc"
)

// simWorker is a Go worker that starts no processes: what it is told to run runs until it is killed, or until a script ends
// it. Its sessions, its Spark port and its log pages are real.
type simWorker struct {
	id, dir string
	masters []string // gRPC
	hello   *clusterpb.Hello
	env     *rpcenv.Env
	ui      *worker.UI

	mu      sync.Mutex
	execs   map[string]*clusterpb.ExecutorReport
	drivers map[string]*clusterpb.DriverReport
	send    chan<- *clusterpb.WorkerMessage // of the session; nil without one
	changed chan struct{}                   // closed at every change of drivers, and made anew

	over sync.Once
	stop context.CancelFunc
	wg   sync.WaitGroup
}

func startSimWorker(ctx context.Context, id, dir string, masters []string) (*simWorker, error) {
	spark, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	pages, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	tables := releases.Tables()
	table := tables[len(tables)-1]
	w := &simWorker{
		id: id, dir: filepath.Join(dir, id), masters: masters, execs: map[string]*clusterpb.ExecutorReport{}, drivers: map[string]*clusterpb.DriverReport{}, changed: make(chan struct{}),
	}
	if err := os.MkdirAll(w.dir, 0o755); err != nil {
		return nil, err
	}
	addr := wire.Address{Host: "127.0.0.1", Port: spark.Addr().(*net.TCPAddr).Port}
	w.env = rpcenv.New(rpcenv.Config{Address: addr, Endpoints: map[string]rpcenv.Endpoint{"Worker": silentEndpoint{}}, ProbeSUID: table.Newest().ProbeSUID, Logger: simapp.Silent})
	w.env.Serve(spark)
	if w.ui, err = worker.NewUI(worker.UIConfig{Listener: pages, WorkDir: w.dir, Status: func() worker.Status { return worker.Status{ID: id} }, Logger: simapp.Silent}); err != nil {
		return nil, err
	}
	w.hello = &clusterpb.Hello{
		Id: id, Incarnation: "life-of-" + id, Host: addr.Host, Port: int32(addr.Port), Cores: 4, MemoryMb: 8192, WebUiUrl: "http://127.0.0.1:" + strconv.Itoa(w.ui.Port()),
		Homes: []*clusterpb.SparkHome{{Version: table.Newest().Version, Build: releases.Label(table.Build(), table.Newest().Version)}},
	}
	ctx, w.stop = context.WithCancel(ctx)
	w.wg.Go(func() { w.follow(ctx) })
	return w, nil
}

type silentEndpoint struct{}

var errNoReply = errors.New("a simulated worker answers nothing")

func (silentEndpoint) Receive(*rpcenv.Peer, messages.Message) {}
func (silentEndpoint) ReceiveAndReply(*rpcenv.Peer, messages.Message) (messages.Message, error) {
	return nil, errNoReply
}

func (w *simWorker) close() {
	w.over.Do(w.end)
}

func (w *simWorker) end() {
	w.stop()
	w.wg.Wait()
	_ = w.ui.Close()
	_ = w.env.Close()
}

// follow keeps a session with whoever leads.
func (w *simWorker) follow(ctx context.Context) {
	for i := 0; ctx.Err() == nil; i++ {
		w.session(ctx, w.masters[i%len(w.masters)])
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

func (w *simWorker) session(ctx context.Context, master string) {
	conn, err := rpc.NewConn(master)
	if err != nil {
		return
	}
	defer conn.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := clusterpb.NewWorkersClient(conn).Session(ctx)
	if err != nil {
		return
	}
	out := make(chan *clusterpb.WorkerMessage, 1000)
	out <- &clusterpb.WorkerMessage{Message: &clusterpb.WorkerMessage_Hello{Hello: w.open(out)}}
	var sender sync.WaitGroup
	sender.Go(func() { speak(ctx, stream, out) })
	for {
		m, err := stream.Recv()
		if err != nil {
			break
		}
		w.obey(m)
	}
	w.mu.Lock()
	w.send = nil
	w.mu.Unlock()
	cancel()
	sender.Wait()
}

// open begins a session with the list of all there is.
func (w *simWorker) open(out chan<- *clusterpb.WorkerMessage) *clusterpb.Hello {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.send = out
	h := &clusterpb.Hello{
		Id: w.hello.Id, Incarnation: w.hello.Incarnation, Host: w.hello.Host, Port: w.hello.Port, Cores: w.hello.Cores, MemoryMb: w.hello.MemoryMb, WebUiUrl: w.hello.WebUiUrl, Homes: w.hello.Homes,
	}
	for _, e := range w.execs {
		h.Executors = append(h.Executors, e)
	}
	for _, d := range w.drivers {
		h.Drivers = append(h.Drivers, d)
	}
	return h
}

func speak(ctx context.Context, stream grpc.BidiStreamingClient[clusterpb.WorkerMessage, clusterpb.MasterMessage], out <-chan *clusterpb.WorkerMessage) {
	beat := time.NewTicker(400 * time.Millisecond)
	defer beat.Stop()
	for n := uint64(1); ; {
		var m *clusterpb.WorkerMessage
		select {
		case m = <-out:
		case <-beat.C:
			m = &clusterpb.WorkerMessage{Message: &clusterpb.WorkerMessage_Heartbeat{Heartbeat: &clusterpb.Heartbeat{Sequence: n}}}
			n++
		case <-ctx.Done():
			return
		}
		if stream.Send(m) != nil {
			return
		}
	}
}

func (w *simWorker) obey(m *clusterpb.MasterMessage) {
	switch {
	case m.GetLaunchExecutor() != nil:
		l := m.GetLaunchExecutor()
		w.log(filepath.Join(l.GetAppId(), strconv.Itoa(int(l.GetExecutorId()))), "stdout", "executor "+strconv.Itoa(int(l.GetExecutorId()))+" of "+l.GetAppId()+"\n")
		w.executor(l.GetAppId(), l.GetExecutorId(), clusterpb.ExecutorState_EXECUTOR_STATE_RUNNING)
	case m.GetKillExecutor() != nil:
		w.executor(m.GetKillExecutor().GetAppId(), m.GetKillExecutor().GetExecutorId(), clusterpb.ExecutorState_EXECUTOR_STATE_KILLED)
	case m.GetLaunchDriver() != nil:
		run := m.GetLaunchDriver().GetRunId()
		w.log(run, "stdout", "hello from "+run+"\n")
		w.log(run, "stderr", "Launch Command: java -Dx=*********(redacted)\n")
		w.driver(run, clusterpb.DriverState_DRIVER_STATE_RUNNING, "")
	case m.GetKillDriver() != nil:
		w.driver(m.GetKillDriver().GetRunId(), clusterpb.DriverState_DRIVER_STATE_KILLED, "")
	case m.GetExecutorAck() != nil && m.GetExecutorAck().GetState() != clusterpb.ExecutorState_EXECUTOR_STATE_RUNNING:
		w.mu.Lock()
		delete(w.execs, m.GetExecutorAck().GetAppId()+"/"+strconv.Itoa(int(m.GetExecutorAck().GetExecutorId())))
		w.mu.Unlock()
	case m.GetDriverAck() != nil:
		w.mu.Lock()
		delete(w.drivers, m.GetDriverAck().GetRunId())
		w.mu.Unlock()
	}
}

func (w *simWorker) log(dir, name, text string) {
	path := filepath.Join(w.dir, dir, name)
	_ = os.MkdirAll(filepath.Dir(path), 0o755)
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return // the script misses it
	}
	defer f.Close()
	_, _ = f.WriteString(text)
}

func (w *simWorker) executor(app string, id int32, s clusterpb.ExecutorState) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := &clusterpb.ExecutorReport{AppId: app, ExecutorId: id, State: s}
	w.execs[app+"/"+strconv.Itoa(int(id))] = r
	w.say(&clusterpb.WorkerMessage{Message: &clusterpb.WorkerMessage_Executor{Executor: r}})
}

func (w *simWorker) driver(run string, s clusterpb.DriverState, message string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := &clusterpb.DriverReport{RunId: run, State: s, Message: message}
	w.drivers[run] = r
	close(w.changed)
	w.changed = make(chan struct{})
	w.say(&clusterpb.WorkerMessage{Message: &clusterpb.WorkerMessage_Driver{Driver: r}})
}

// say sends in the session, if there is one: Hello repeats what was not. The caller holds mu.
func (w *simWorker) say(m *clusterpb.WorkerMessage) {
	if w.send != nil {
		w.send <- m
	}
}

// leave says goodbye: all that it ran has ended.
func (w *simWorker) leave() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.say(&clusterpb.WorkerMessage{Message: &clusterpb.WorkerMessage_Goodbye{Goodbye: &clusterpb.Goodbye{Reason: "the script says so"}}})
}

// runs waits until this worker runs a driver.
func (w *simWorker) runs(ctx context.Context, run string) error {
	for {
		w.mu.Lock()
		_, ok := w.drivers[run]
		changed := w.changed
		w.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%s does not run %s: %w", w.id, run, ctx.Err())
		}
	}
}

// driverStates are the words of scripts.
func driverStateOf(word string) (clusterpb.DriverState, bool) {
	n, ok := clusterpb.DriverState_value["DRIVER_STATE_"+strings.ToUpper(word)]
	return clusterpb.DriverState(n), ok
}
