package master

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/firesteel/firesteel/config"
	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/spark/javaser"
	"github.com/firesteel/firesteel/spark/messages"
	"github.com/firesteel/firesteel/spark/releases"
	"github.com/firesteel/firesteel/spark/rpcenv"
	"github.com/firesteel/firesteel/spark/wire"
	"github.com/firesteel/firesteel/web/submission"
	"github.com/firesteel/firesteel/web/submission/contract"
)

// restClient speaks REST to a master.
type restClient struct {
	t    *testing.T
	addr string
}

// restOf is the REST port of a master, and spark7077 Spark's RPC port, which takes REST too.
func restOf(t *testing.T, m *Master) restClient { return restClient{t, local(m.restPort)} }
func spark7077(t *testing.T, m *Master) restClient {
	return restClient{t, local(m.sparkPort)}
}

func local(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

var restHTTP = &http.Client{Timeout: patience}

// restAnswer is what all answers have in common.
type restAnswer struct {
	status         int
	Action         string
	Message        string
	SubmissionID   string
	Success        bool
	DriverState    string
	WorkerID       string
	WorkerHostPort string
}

func (c restClient) ask(method, path, body string, header ...string) restAnswer {
	c.t.Helper()
	a, err := c.try(method, path, body, header...)
	if err != nil {
		c.t.Fatal(err)
	}
	return a
}

func (c restClient) try(method, path, body string, header ...string) (out restAnswer, err error) {
	req, err := http.NewRequestWithContext(c.t.Context(), method, "http://"+c.addr+"/v1/submissions/"+path, strings.NewReader(body))
	if err != nil {
		return out, err
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := restHTTP.Do(req)
	if err != nil {
		return out, err
	}
	defer resp.Body.Close()
	out.status = resp.StatusCode
	return out, json.NewDecoder(resp.Body).Decode(&out)
}

func submissionBody(properties ...string) string {
	all := map[string]string{"spark.app.name": "etl"}
	for i := 0; i < len(properties); i += 2 {
		all[properties[i]] = properties[i+1]
	}
	b, _ := json.Marshal(map[string]any{
		"action": "CreateSubmissionRequest", "clientSparkVersion": "4.1.4", "appResource": "file:/x/app.jar", "mainClass": "org.acme.Main", "sparkProperties": all,
	})
	return string(b)
}

// The whole contract, on both ports of a leader and of a follower.
func TestRESTAnswersAsTheOriginalOnEveryMaster(t *testing.T) {
	t.Parallel()
	masters := openThree(t)
	lead, other := leader(t, masters), follower(t, masters)
	if serverVersion() != "4.3.0" {
		t.Skip("the answers kept are those of 4.3.0")
	}
	for _, c := range []restClient{restOf(t, lead), spark7077(t, lead), restOf(t, other), spark7077(t, other)} {
		differences, ids, err := contract.Run("4.3.0", contract.Over(restHTTP, c.addr))
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range differences {
			t.Errorf("%s: %s", c.addr, d)
		}
		if len(ids) < 15 {
			t.Errorf("%s: only %d drivers were submitted", c.addr, len(ids))
		}
	}
	agree(t, masters, "no driver is left", func(s *fsm.State) bool {
		_, ok := lastOf(s.CompletedDrivers())
		return s.DriverCount() == 0 && !ok
	})
	// HTTP on the RPC port has not pushed the rest away.
	if resp, err := restHTTP.Get("http://" + local(other.sparkPort) + "/v1/cluster"); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("GET /v1/cluster: %v %v", resp, err)
	} else {
		resp.Body.Close()
	}
}

// What is created on one master is there on the others the moment after.
func TestDriversAreSeenOnAllMastersAtOnce(t *testing.T) {
	t.Parallel()
	masters := openThree(t)
	for i := range 9 {
		a, b, c := masters[i%3], masters[(i+1)%3], masters[(i+2)%3]
		id := restOf(t, a).ask("POST", "create", submissionBody()).SubmissionID
		if got := spark7077(t, b).ask("GET", "status/"+id, ""); !got.Success || got.DriverState != "SUBMITTED" || got.Message != "no worker is ALIVE" {
			t.Errorf("%+v", got)
		}
		if got := restOf(t, c).ask("POST", "kill/"+id, ""); !got.Success || got.Message != "Kill request for "+id+" submitted" {
			t.Errorf("%+v", got)
		}
		if got := restOf(t, a).ask("GET", "status/"+id, ""); !got.Success || got.DriverState != "KILLED" {
			t.Errorf("%+v", got)
		}
		if got := spark7077(t, b).ask("POST", "kill/"+id, ""); got.Success || got.Message != "Driver "+id+" has already finished or does not exist" {
			t.Errorf("%+v", got)
		}
	}
	// An id of another cluster is one that nobody knows.
	if got := restOf(t, masters[0]).ask("GET", "status/driver-20200101000000-0000", ""); got.status != 200 || got.Success || got.DriverState != "" {
		t.Errorf("%+v", got)
	}
}

// A driver that no worker could run is taken, waits, and says why.
func TestStatusSaysWhatADriverWaitsFor(t *testing.T) {
	t.Parallel()
	m := openOne(t)
	side := workerSide(t)
	w := session(t, m, side, helloOf(side, "worker-1"))
	w.welcome()
	eventually(t, m, "the worker is used", attached(m, "worker-1"))
	c := restOf(t, m)
	for _, x := range []struct{ key, value, want string }{
		{"spark.driver.cores", "99", "asks for 99 cores and 1024 MiB on one worker; no worker has that (most cores 4, most memory 4096 MiB)"},
		{"spark.driver.memory", "1t", "asks for 1 cores and 1048576 MiB on one worker; no worker has that (most cores 4, most memory 4096 MiB)"},
		{"spark.driver.resource.gpu.amount", "2", "2 of gpu on one worker; no worker has that"},
		{"spark.executorEnv.FIRESTEEL_SPARK_VERSION", "3.5.1", "no worker runs Spark 3.5.1 (Scala 2.12); the ALIVE ones run Spark 4.3 (Scala 2.13)"},
	} {
		id := c.ask("POST", "create", submissionBody(x.key, x.value)).SubmissionID
		if got := c.ask("GET", "status/"+id, ""); !got.Success || got.DriverState != "SUBMITTED" || !strings.Contains(got.Message, x.want) {
			t.Errorf("%s: %+v", x.key, got)
		}
	}
}

// rpcClient is Spark's submission client, which knows some of the masters.
type rpcClient struct {
	*sparkSide
	masters []*rpcenv.Peer
}

func newRPCClient(t *testing.T, table *releases.Table, masters ...*Master) *rpcClient {
	t.Helper()
	c := &rpcClient{sparkSide: newSparkSide(t, table, submissionClient, wire.Address{})}
	for _, m := range masters {
		c.masters = append(c.masters, c.dial(m))
	}
	return c
}

// askAll asks all masters at once, as the client does.
func askAll[T messages.Message](c *rpcClient, m messages.Message) []T {
	c.t.Helper()
	out := make([]T, len(c.masters))
	var all sync.WaitGroup
	for i, p := range c.masters {
		all.Go(func() {
			reply, err := p.Ask(c.t.Context(), "Master", m)
			if err != nil {
				c.t.Errorf("ask %s: %v", m.ClassName(), err)
				return
			}
			if r, ok := reply.(T); ok {
				out[i] = r
			} else {
				c.t.Errorf("%s was answered with %T", m.ClassName(), reply)
			}
		})
	}
	all.Wait()
	if c.t.Failed() {
		c.t.FailNow()
	}
	return out
}

func descriptionOf(opts ...string) *messages.DriverDescription {
	return &messages.DriverDescription{
		JarURL: "file:/x/app.jar", MemoryMB: 512, Cores: 1, ResourceReqs: []messages.ResourceRequirement{{Name: "gpu", Amount: 2, NumParts: 1}},
		Command: messages.Command{
			MainClass: "org.apache.spark.deploy.worker.DriverWrapper", Arguments: []string{"{{WORKER_URL}}", "{{USER_JAR}}", "org.acme.Main", "1"}, JavaOpts: opts,
			Environment: map[string]string{"A": "1"},
		},
	}
}

// Spark's client asks every master that it knows. One driver comes of it, and all give its id; likewise when it kills it.
func TestSubmissionByRPCOnAllMasters(t *testing.T) {
	t.Parallel()
	masters := openThree(t)
	for name, table := range dialects(t) {
		for n := 1; n <= 3; n++ {
			t.Run(fmt.Sprintf("%s/%d masters", name, n), func(t *testing.T) {
				before := masters[0].fsm.State().DriverCount()
				c := newRPCClient(t, table, masters[:n]...)
				submitted := askAll[*messages.SubmitDriverResponse](c, &messages.RequestSubmitDriver{Driver: descriptionOf("-Dspark.master="+masters[0].URL(), "-Dtest="+t.Name())})
				id := submitted[0].DriverID
				for i, r := range submitted {
					if !r.Success || r.DriverID != id || r.Message != "Driver successfully submitted as "+id || r.Master.Port != masters[i].sparkPort {
						t.Errorf("%+v", r)
					}
				}
				for _, r := range askAll[*messages.DriverStatusResponse](c, &messages.RequestDriverStatus{DriverID: id}) {
					if !r.Found || r.State == nil || *r.State != messages.DriverSubmitted || r.WorkerID != "" || r.Exception != nil {
						t.Errorf("%+v", r)
					}
				}
				agree(t, masters, "one driver", func(s *fsm.State) bool { return s.DriverCount() == before+1 })
				killer := newRPCClient(t, table, masters[:n]...)
				for _, r := range askAll[*messages.KillDriverResponse](killer, &messages.RequestKillDriver{DriverID: id}) {
					if !r.Success || r.DriverID != id || r.Message != "Kill request for "+id+" submitted" {
						t.Errorf("%+v", r)
					}
				}
				// Another client is told that it is over.
				late := newRPCClient(t, table, masters[:n]...)
				for _, r := range askAll[*messages.KillDriverResponse](late, &messages.RequestKillDriver{DriverID: id}) {
					if r.Success || r.Message != "Driver "+id+" has already finished or does not exist" {
						t.Errorf("%+v", r)
					}
				}
				for _, r := range askAll[*messages.DriverStatusResponse](late, &messages.RequestDriverStatus{DriverID: id}) {
					if !r.Found || *r.State != messages.DriverKilled {
						t.Errorf("%+v", r)
					}
				}
			})
		}
	}
}

// What is kept of a driver: the masters of this cluster, all of them, whichever took it by whichever door, the release of
// its client, and what it needs.
func TestWhatIsKeptOfADriver(t *testing.T) {
	t.Parallel()
	masters := openThree(t)
	agree(t, masters, "gossip knows all", func(*fsm.State) bool {
		return !slices.ContainsFunc(masters, func(m *Master) bool { return len(m.gossip.Masters()) != 3 })
	})
	url := "spark://" + local(masters[0].sparkPort) + "," + local(masters[1].sparkPort) + "," + local(masters[2].sparkPort)
	check := func(id, build string, gpus int) {
		t.Helper()
		d, ok := leader(t, masters).fsm.State().Driver(id)
		if !ok {
			t.Fatalf("%s is not there", id)
		}
		desc, err := messages.DecodeDriverDescription(d.Description, javaser.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := option(desc.Command.JavaOpts, "spark.master"); got != url {
			t.Errorf("spark.master %q, want %q", got, url)
		}
		if _, ok := option(desc.Command.JavaOpts, submission.IdempotencyProperty); ok {
			t.Error("the driver inherits the key of its submission")
		}
		needs := 0
		for _, n := range d.Needs {
			needs += n.Amount
		}
		if d.Build != build || d.MainClass != "org.acme.Main" || needs != gpus || desc.Tree == nil {
			t.Errorf("%+v", d)
		}
	}
	for i, m := range masters {
		r := restOf(t, m).ask("POST", "create", submissionBody("spark.master", "spark://elsewhere:6066", submission.IdempotencyProperty, strconv.Itoa(i), "spark.driver.resource.gpu.amount", "2"))
		check(r.SubmissionID, "4.1/2.13@4.1", 2)
		for name, table := range dialects(t) {
			r := askAll[*messages.SubmitDriverResponse](newRPCClient(t, table, m), &messages.RequestSubmitDriver{Driver: descriptionOf(
				"-Dspark.master=spark://elsewhere:7077", "-D"+submission.IdempotencyProperty+"="+name+strconv.Itoa(i))})
			check(r[0].DriverID, releases.Label(table.Build(), table.Newest().Version), 2)
		}
	}
	// A master that is down is one that will be back.
	gone := follower(t, masters)
	if err := gone.Close(); err != nil {
		t.Fatal(err)
	}
	for _, m := range masters {
		if m != gone {
			check(restOf(t, m).ask("POST", "create", submissionBody()).SubmissionID, "4.1/2.13@4.1", 0)
		}
	}
}

// The same key is the same driver: by header, by property and by Spark's client, on every master, after a failover, and
// when the driver is long over and forgotten. Without a key two requests are two drivers.
func TestIdempotencyKeys(t *testing.T) {
	t.Parallel()
	masters := openThree(t)
	create := func(c restClient, header ...string) string {
		t.Helper()
		r := c.ask("POST", "create", submissionBody(), header...)
		if !r.Success {
			t.Fatalf("%+v", r)
		}
		return r.SubmissionID
	}
	first := create(restOf(t, masters[0]), submission.IdempotencyKey, "nightly")
	again := func() {
		t.Helper()
		for _, m := range masters {
			if m.ctx.Err() != nil {
				continue
			}
			if id := create(spark7077(t, m), submission.IdempotencyKey, "nightly"); id != first {
				t.Errorf("by header: %s, not %s", id, first)
			}
			if r := restOf(t, m).ask("POST", "create", submissionBody(submission.IdempotencyProperty, "nightly")); r.SubmissionID != first {
				t.Errorf("by property: %s, not %s", r.SubmissionID, first)
			}
			r := askAll[*messages.SubmitDriverResponse](newRPCClient(t, newestTable(), m), &messages.RequestSubmitDriver{Driver: descriptionOf("-D" + submission.IdempotencyProperty + "=nightly")})
			if r[0].DriverID != first {
				t.Errorf("by Spark's client: %+v, not %s", r[0], first)
			}
		}
	}
	again()
	if a, b := create(restOf(t, masters[0])), create(restOf(t, masters[0])); a == b || a == first {
		t.Errorf("without a key: %s and %s", a, b)
	}
	if id := create(restOf(t, masters[1]), submission.IdempotencyKey, strings.Repeat("long", 500)); id == first {
		t.Error("another key gave the same driver")
	}
	for _, what := range []string{"killall", "clear"} {
		if r := restOf(t, masters[1]).ask("POST", what, ""); !r.Success {
			t.Errorf("%+v", r)
		}
	}
	agree(t, masters, "all are over and forgotten", func(s *fsm.State) bool {
		_, kept := lastOf(s.CompletedDrivers())
		return s.DriverCount() == 0 && !kept
	})
	again()
	if err := leader(t, masters).Close(); err != nil {
		t.Fatal(err)
	}
	again()
}

// spark-submit tries the next master when one does not answer, and says the same to it: it has dated what it says. Somebody
// who sends the same words twice by hand means two drivers.
func TestSubmissionsOfSparkSubmitAreRecognised(t *testing.T) {
	t.Parallel()
	masters := openThree(t)
	one := restOf(t, masters[0]).ask("POST", "create", submissionBody(submitTime, "1700000000000")).SubmissionID
	two := restOf(t, masters[1]).ask("POST", "create", submissionBody(submitTime, "1700000000000")).SubmissionID
	other := restOf(t, masters[2]).ask("POST", "create", submissionBody(submitTime, "1700000000001")).SubmissionID
	if one != two || one == other {
		t.Errorf("%s, %s, %s", one, two, other)
	}
}

// What Spark's client says by RPC is known by its date for as long as it may come again; without one only for as long as one
// client asks, since the next process may have its address.
func TestNamesOfRPCSubmissions(t *testing.T) {
	t.Parallel()
	dated, undated := descriptionOf("-D"+submitTime+"=1"), descriptionOf()
	a, b := wireAddress("h", 1), wireAddress("h", 2)
	if n := clientKey(a, dated); n.keep != ownKeyFor || n != clientKey(a, descriptionOf("-D"+submitTime+"=1")) {
		t.Errorf("%+v", n)
	}
	if n := clientKey(a, undated); n.keep != undatedKeyFor || n.keep <= submissionHold {
		t.Errorf("%+v", n)
	}
	keys := map[string]bool{}
	for _, n := range []submissionName{clientKey(a, dated), clientKey(b, dated), clientKey(a, undated), clientKey(b, undated), clientKey(a, descriptionOf("-D"+submitTime+"=2"))} {
		keys[n.key] = true
	}
	if len(keys) != 5 {
		t.Errorf("%d different keys", len(keys))
	}
}

// Every submission under way while leaders die is answered, and makes one driver.
func TestSubmissionsDuringFailovers(t *testing.T) {
	t.Parallel()
	masters := openThree(t)
	const clients, each = 6, 5
	ids := make(chan string, clients*each*2)
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			c := newRPCClient(t, newestTable(), masters...)
			for j := range each {
				id := restOf(t, masters[(i+j)%3]).ask("POST", "create", submissionBody(), submission.IdempotencyKey, fmt.Sprint(i, "/", j))
				if !id.Success {
					t.Errorf("%+v", id)
				}
				ids <- id.SubmissionID
				for _, r := range askAll[*messages.SubmitDriverResponse](c, &messages.RequestSubmitDriver{Driver: descriptionOf("-Dn=" + fmt.Sprint(i, "/", j))})[:1] {
					ids <- r.DriverID
				}
			}
		})
	}
	over := make(chan struct{})
	go func() { all.Wait(); close(over) }()
	for done := false; !done; {
		d := dutiesOf(t, masters)
		if err := d.m.node.TransferLeadership(t.Context()); err != nil {
			t.Logf("%s keeps the lead: %v", d.m.cfg.ID, err)
		}
		select {
		case <-over:
			done = true
		case <-d.ctx.Done(): // whoever leads next
		case <-time.After(time.Second): // it has kept it
		}
	}
	close(ids)
	distinct := map[string]bool{}
	for id := range ids {
		distinct[id] = true
	}
	if len(distinct) != clients*each*2 || distinct[""] {
		t.Errorf("%d different ids", len(distinct))
	}
	agree(t, masters, "as many drivers as submissions", func(s *fsm.State) bool { return s.DriverCount() == clients*each*2 })
}

// Without a quorum a master says that it is not ready, and sends clients on; with one it never does.
func TestWithoutAQuorum(t *testing.T) {
	t.Parallel()
	masters := openThree(t, func(c *Config) { c.submissionHold = 2 * time.Second })
	for _, m := range masters {
		for _, c := range []restClient{restOf(t, m), spark7077(t, m)} {
			if r := c.ask("GET", "readyz", ""); r.status != 200 || !r.Success {
				t.Errorf("%+v", r)
			}
		}
	}
	id := restOf(t, masters[0]).ask("POST", "create", submissionBody()).SubmissionID
	if err := masters[1].Close(); err != nil {
		t.Fatal(err)
	}
	left := []*Master{masters[0], masters[2]}
	for _, m := range left {
		if r := restOf(t, m).ask("GET", "readyz", ""); r.status != 200 {
			t.Errorf("with two of three: %+v", r)
		}
		if r := restOf(t, m).ask("GET", "status/"+id, ""); !r.Success {
			t.Errorf("with two of three: %+v", r)
		}
	}
	if err := masters[2].Close(); err != nil {
		t.Fatal(err)
	}
	m := masters[0]
	if r := spark7077(t, m).ask("GET", "readyz", ""); r.status != http.StatusServiceUnavailable || r.Action != "ErrorResponse" || !strings.Contains(r.Message, "not ready") {
		t.Errorf("%+v", r)
	}
	if r := restOf(t, m).ask("POST", "create", submissionBody()); r.status != 200 || r.Success || !strings.HasPrefix(r.Message, submission.BackupPrefix) {
		t.Errorf("%+v", r)
	}
	c := newRPCClient(t, newestTable(), m)
	if r := askAll[*messages.DriverStatusResponse](c, &messages.RequestDriverStatus{DriverID: id})[0]; r.Found || r.Exception == nil || !strings.HasPrefix(r.Exception.Message, submission.BackupPrefix) {
		t.Errorf("%+v", r)
	}
	if r := askAll[*messages.KillDriverResponse](c, &messages.RequestKillDriver{DriverID: id})[0]; r.Success || !strings.HasPrefix(r.Message, submission.BackupPrefix) {
		t.Errorf("%+v", r)
	}
	if r := askAll[*messages.Boolean](c, &messages.RequestReadyz{})[0]; r.Value {
		t.Error("ready without a quorum")
	}
}

// The asks of Spark's REST server, should they come over the wire.
func TestAsksOfTheRESTServer(t *testing.T) {
	t.Parallel()
	m := openOne(t)
	c := newRPCClient(t, newestTable(), m)
	id := restOf(t, m).ask("POST", "create", submissionBody()).SubmissionID
	if r := askAll[*messages.KillAllDriversResponse](c, &messages.RequestKillAllDrivers{})[0]; !r.Success || r.Master.Port != m.sparkPort {
		t.Errorf("%+v", r)
	}
	if r := restOf(t, m).ask("GET", "status/"+id, ""); r.DriverState != "KILLED" {
		t.Errorf("%+v", r)
	}
	if r := askAll[*messages.Boolean](c, &messages.RequestClearCompletedDriversAndApps{})[0]; !r.Value {
		t.Error("not cleared")
	}
	if r := restOf(t, m).ask("GET", "status/"+id, ""); r.Success {
		t.Errorf("%+v", r)
	}
	if r := askAll[*messages.Boolean](c, &messages.RequestReadyz{})[0]; !r.Value {
		t.Error("not ready")
	}
	if r := askAll[*messages.BoundPortsResponse](c, &messages.BoundPortsRequest{})[0]; r.RPCPort != m.sparkPort || r.WebUIPort != m.webPort || r.RESTPort == nil || *r.RESTPort != m.restPort {
		t.Errorf("%+v", r)
	}
}

// A driver that is bad is refused in words, by Spark's client too, and no other master would take it.
func TestDriversThatAreRefused(t *testing.T) {
	t.Parallel()
	m := openOne(t)
	c := newRPCClient(t, newestTable(), m)
	bad := descriptionOf()
	bad.Cores = -1
	r := askAll[*messages.SubmitDriverResponse](c, &messages.RequestSubmitDriver{Driver: bad})[0]
	if r.Success || !strings.Contains(r.Message, "-1 cores") || strings.HasPrefix(r.Message, submission.BackupPrefix) {
		t.Errorf("%+v", r)
	}
	if n := m.fsm.State().DriverCount(); n != 0 {
		t.Errorf("%d drivers", n)
	}
}

// Where the server is switched off, no port has it.
func TestRESTSwitchedOff(t *testing.T) {
	t.Parallel()
	m := openOne(t, func(c *Config) { c.Spark.REST.Enabled = false })
	if m.restPort != 0 {
		t.Errorf("port %d", m.restPort)
	}
	resp, err := restHTTP.Get("http://" + local(m.sparkPort) + "/v1/submissions/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusNotFound {
		t.Errorf("%d", resp.StatusCode)
	}
	r := askAll[*messages.BoundPortsResponse](newRPCClient(t, newestTable(), m), &messages.BoundPortsRequest{})[0]
	if r.RESTPort != nil {
		t.Errorf("%+v", r)
	}
}

// A filter that the operator wants stands before both ports; one that cannot be had stops the master.
func TestRESTFilters(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t, "m1", t.TempDir())
	cfg.Spark.REST.Filters = []string{"com.acme.Filter"}
	if m, err := Open(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "com.acme.Filter") {
		t.Errorf("it started: %v %v", m, err)
	}
	cfg.Spark.REST.Filters = []string{"org.apache.spark.ui.JWSFilter"}
	if m, err := Open(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "secretKey") {
		t.Errorf("it started: %v %v", m, err)
	}
	properties := filepath.Join(t.TempDir(), "spark.conf")
	text := "spark.master.rest.filters org.apache.spark.ui.JWSFilter\nspark.org.apache.spark.ui.JWSFilter.param.secretKey " + strings.Repeat("k", 43) + "\n"
	if err := os.WriteFile(properties, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	m := openOne(t, func(c *Config) {
		host, anyPort := "127.0.0.1", 0
		spark, err := config.LoadMaster(config.MasterFlags{Host: &host, Port: &anyPort, WebUIPort: &anyPort, RESTPort: &anyPort, PropertiesFile: properties}, config.Env{})
		if err != nil {
			t.Fatal(err)
		}
		c.Spark = spark
	})
	for _, port := range []int{m.restPort, m.sparkPort} {
		resp, err := restHTTP.Get("http://" + local(port) + "/v1/submissions/readyz")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusForbidden {
			t.Errorf("without a token: %d", resp.StatusCode)
		}
	}
}
