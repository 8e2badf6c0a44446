package load

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/firesteel/firesteel/chaos/simapp"
	"github.com/firesteel/firesteel/spark/messages"
	"github.com/firesteel/firesteel/spark/releases"
	"github.com/firesteel/firesteel/spark/rpcenv"
	"github.com/firesteel/firesteel/spark/wire"
)

// rpcClient submits as org.apache.spark.deploy.Client does.
type rpcClient struct {
	table *releases.Table
	env   *rpcenv.Env
	peers []*rpcenv.Peer
	first int // the number of the first of its masters
	cores int // of its drivers
}

// dialClient makes a client that is connected to masters and knows that they are there.
func dialClient(ctx context.Context, table *releases.Table, masters []string, first, cores int) (*rpcClient, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start a submission client: %w", err)
	}
	addr := wire.Address{Host: "127.0.0.1", Port: ln.Addr().(*net.TCPAddr).Port}
	c := &rpcClient{table: table, first: first, cores: cores, env: rpcenv.New(rpcenv.Config{
		Address: addr, Endpoints: map[string]rpcenv.Endpoint{"client": silent{}}, ProbeSUID: table.Newest().ProbeSUID, Logger: simapp.Silent,
	})}
	c.env.Serve(ln)
	for _, m := range masters {
		if err := c.connect(ctx, m); err != nil {
			c.close()
			return nil, err
		}
	}
	return c, nil
}

func (c *rpcClient) connect(ctx context.Context, master string) error {
	p, err := simapp.DialMaster(ctx, c.env, c.table, master)
	if err != nil {
		return err
	}
	c.peers = append(c.peers, p)
	return nil
}

func (c *rpcClient) close() {
	for _, p := range c.peers {
		p.Close()
	}
	_ = c.env.Close() // it is over
}

func (c *rpcClient) submit(ctx context.Context, n int) (id string, master int, at time.Time, err error) {
	payload, err := rpcenv.Encode(&messages.RequestSubmitDriver{Driver: description(n, c.cores)}, rpcenv.Dialect{Table: c.table})
	if err != nil {
		return "", 0, at, err
	}
	ask := func(p *rpcenv.Peer) (string, error) { return submitted(p.AskPayload(ctx, "Master", payload)) }
	if len(c.peers) == 1 {
		id, err = ask(c.peers[0])
		return id, c.first, time.Now(), err
	}
	// All masters are asked at once, and the first that has the driver is believed. The others are waited for.
	var all sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	for i, p := range c.peers {
		all.Go(func() {
			got, err := ask(p)
			now := time.Now()
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
				errs = append(errs, err)
			case id == "":
				id, master, at = got, c.first+i, now
			case got != id:
				errs = append(errs, fmt.Errorf("two masters have made two drivers of one submission: %s and %s", id, got))
			}
		})
	}
	all.Wait()
	return id, master, at, errors.Join(errs...)
}

func submitted(m messages.Message, err error) (string, error) {
	if err != nil {
		return "", err
	}
	r, ok := m.(*messages.SubmitDriverResponse)
	switch {
	case !ok:
		return "", fmt.Errorf("a submission is answered with %s", m.ClassName())
	case !r.Success:
		return "", fmt.Errorf("%w: %s", errRefused, r.Message)
	}
	return r.DriverID, nil
}

// description is a driver as spark-submit describes it.
func description(n, cores int) *messages.DriverDescription {
	return &messages.DriverDescription{
		JarURL: "file:/opt/jobs/etl-assembly-1.4.2.jar", MemoryMB: 512, Cores: cores,
		Command: messages.Command{
			MainClass:   "org.apache.spark.deploy.worker.DriverWrapper",
			Arguments:   []string{"{{WORKER_URL}}", "{{USER_JAR}}", "org.example.etl.DailyAggregation", "--date", "2026-01-01", "--partitions", "200", strconv.Itoa(n)},
			Environment: map[string]string{"SPARK_ENV_LOADED": "1"},
			JavaOpts: []string{
				"-Dspark.app.name=daily-aggregation", "-Dspark.app.submitTime=1767225600000", "-Dspark.jars=file:/opt/jobs/etl-assembly-1.4.2.jar",
				"-Dspark.master=spark://127.0.0.1:7077", "-Dspark.submit.deployMode=cluster", "-Dspark.driver.cores=" + strconv.Itoa(cores), "-Dspark.driver.memory=512m",
				"-Dspark.driver.supervise=false", "-Dspark.executor.memory=2g", "-Dspark.executor.cores=2", "-Dspark.cores.max=8",
				"-Dspark.eventLog.enabled=true", "-Dspark.eventLog.dir=file:/var/log/spark-events",
				"-Dspark.serializer=org.apache.spark.serializer.KryoSerializer", "-Dspark.sql.shuffle.partitions=200",
			},
		},
	}
}

// freshRPC makes a client of its own for every submission.
type freshRPC struct {
	table   *releases.Table
	masters []string
	cores   int
}

func (f freshRPC) submit(ctx context.Context, n int) (string, int, time.Time, error) {
	c, err := dialClient(ctx, f.table, f.masters, 0, f.cores)
	if err != nil {
		return "", 0, time.Time{}, err
	}
	defer c.close()
	return c.submit(ctx, n)
}

func (freshRPC) close() {}

func (s *submitting) rpcClient(ctx context.Context, n int) (client, error) {
	if s.Fresh {
		return freshRPC{s.table, s.Masters, max(s.Cores, 1)}, nil
	}
	i := n % len(s.Masters)
	return dialClient(ctx, s.table, s.Masters[i:i+1], i, max(s.Cores, 1))
}

// silent is an endpoint that is asked and told nothing.
type silent struct{}

func (silent) Receive(*rpcenv.Peer, messages.Message) {}

func (silent) ReceiveAndReply(*rpcenv.Peer, messages.Message) (messages.Message, error) {
	return nil, simapp.ErrNoAsks
}
