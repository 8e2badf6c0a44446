package main

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/firesteel/firesteel/rpc/clusterpb"
	"github.com/urfave/cli/v2"
)

func statusCommand() *cli.Command {
	return &cli.Command{
		Name: "status", Usage: "leader, masters and their lag, workers, cores, and what waits and why",
		Description: "Asks all masters of --address at once, and shows the answer of one that reaches the leader. Where nobody leads it\n" +
			"shows what is known all the same, and exits with 3.",
		Flags:  []cli.Flag{staleFlag()},
		Action: runStatus,
	}
}

// statusPatience is how long a master may take to tell how the cluster is: longer than it waits for a leader itself.
const statusPatience = 3 * time.Second

func runStatus(c *cli.Context) error {
	if err := firstError(arguments(c, 0, 0, ""), checkOutput(c)); err != nil {
		return err
	}
	cl, err := connect(c)
	if err != nil {
		return err
	}
	defer cl.close()
	best, failed := cl.overview(c.Context, c.Bool("stale"))
	if best == nil {
		return noMaster(failed, false, cl.timeout)
	}
	out := statusOf(best)
	for _, f := range failed {
		out.Unreachable = append(out.Unreachable, unreachableJSON{f.addr, oneLine(f.err)})
	}
	if err := show(c, out); err != nil {
		return err
	}
	if out.Leader == "" {
		return &exitError{code: exitUnavailable, text: "no master leads"}
	}
	return nil
}

// overview asks every master, and gives the best answer: of one that reaches the leader, else of the one that knows most.
func (c *client) overview(ctx context.Context, stale bool) (best *clusterpb.ClusterStatusReply, failed []*failure) {
	ctx, cancel := context.WithTimeout(ctx, min(statusPatience, c.timeout))
	defer cancel()
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, addr := range c.list() {
		all.Go(func() {
			reply, err := call(ctx, c, addr, func(ctx context.Context, m master) (*clusterpb.ClusterStatusReply, error) {
				return m.admin.Status(ctx, &clusterpb.ClusterStatusRequest{Stale: stale})
			})
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed = append(failed, &failure{addr: addr, err: err})
				return
			}
			if best == nil || better(reply, best) {
				best = reply
			}
			if reply.GetLeaderId() != "" && !reply.GetStale() {
				time.AfterFunc(statusGrace, cancel) // the others are asked only to see whether they answer
			}
		})
	}
	all.Wait()
	return best, failed
}

// statusGrace is how long a master may be slower than the first good answer before it is shown as one that does not answer.
const statusGrace = time.Second

func better(a, b *clusterpb.ClusterStatusReply) bool {
	rank := func(s *clusterpb.ClusterStatusReply) int {
		switch {
		case s.GetLeaderId() != "" && !s.GetStale():
			return 2
		case s.GetLeaderId() != "":
			return 1
		}
		return 0
	}
	if ra, rb := rank(a), rank(b); ra != rb {
		return ra > rb
	}
	if a.GetTerm() != b.GetTerm() {
		return a.GetTerm() > b.GetTerm()
	}
	return a.GetIndex() > b.GetIndex()
}

type statusJSON struct {
	Cluster          string            `json:"clusterId"`
	Leader           string            `json:"leader"` // "": nobody
	Term             uint64            `json:"term"`
	Index            uint64            `json:"index"`
	AnsweredBy       string            `json:"answeredBy"`
	Stale            bool              `json:"stale"` // may be behind
	StaleReason      string            `json:"staleReason"`
	Healthy          bool              `json:"healthy"`
	FailureTolerance int32             `json:"failureTolerance"`
	Voters           int32             `json:"voters"`
	Masters          []masterJSON      `json:"masters"`
	Unreachable      []unreachableJSON `json:"unreachable"` // addresses that gave no answer
	Workers          totalsJSON        `json:"workers"`
	Apps             countsJSON        `json:"apps"`
	Drivers          countsJSON        `json:"drivers"`
	Waiting          []waitingJSON     `json:"waiting"`
	Doubts           []doubtJSON       `json:"doubts"`
	VerdictsHeld     moment            `json:"verdictsHeldUntil"`
}

type masterJSON struct {
	ID      string `json:"id"`
	Spark   string `json:"spark"`
	Web     string `json:"web"`
	REST    string `json:"rest"`
	RPC     string `json:"rpc"`
	Leader  bool   `json:"leader"`
	Alive   bool   `json:"alive"`
	Member  bool   `json:"member"`
	Voter   bool   `json:"voter"`
	Healthy bool   `json:"healthy"`
	Lag     uint64 `json:"lag"`
	Problem string `json:"problem"`
}

type unreachableJSON struct {
	Address string `json:"address"`
	Problem string `json:"problem"`
}

type totalsJSON struct {
	Alive          int32 `json:"alive"`
	Decommissioned int32 `json:"decommissioned"`
	Dead           int32 `json:"dead"`
	Unknown        int32 `json:"unknown"`
	Cores          int64 `json:"cores"`
	CoresUsed      int64 `json:"coresUsed"`
	MemoryMB       int64 `json:"memoryMb"`
	MemoryUsedMB   int64 `json:"memoryUsedMb"`
}

type countsJSON struct {
	Running   int32 `json:"running"`
	Waiting   int32 `json:"waiting"`
	Completed int32 `json:"completed"`
}

type doubtJSON struct {
	Worker    string `json:"worker"`
	Suspected moment `json:"suspectedSince"`
	HeldUntil moment `json:"heldUntil"`
	Reason    string `json:"reason"`
}

func statusOf(s *clusterpb.ClusterStatusReply) *statusJSON {
	w := s.GetWorkers()
	out := &statusJSON{
		Cluster: s.GetClusterId(), Leader: s.GetLeaderId(), Term: s.GetTerm(), Index: s.GetIndex(), AnsweredBy: s.GetAnsweredBy(),
		Stale: s.GetStale(), StaleReason: s.GetStaleReason(), Healthy: s.GetHealthy(), FailureTolerance: s.GetFailureTolerance(), Voters: s.GetVoters(),
		Masters: []masterJSON{}, Unreachable: []unreachableJSON{}, Waiting: waitingOf(s.GetWaiting()), Doubts: []doubtJSON{}, VerdictsHeld: moment(s.GetVerdictsHeldUntilMs()),
		Workers: totalsJSON{
			Alive: w.GetAlive(), Decommissioned: w.GetDecommissioned(), Dead: w.GetDead(), Unknown: w.GetUnknown(),
			Cores: w.GetCores(), CoresUsed: w.GetCoresUsed(), MemoryMB: w.GetMemoryMb(), MemoryUsedMB: w.GetMemoryUsedMb(),
		},
		Apps:    countsJSON{s.GetApps().GetRunning(), s.GetApps().GetWaiting(), s.GetApps().GetCompleted()},
		Drivers: countsJSON{s.GetDrivers().GetRunning(), s.GetDrivers().GetWaiting(), s.GetDrivers().GetCompleted()},
	}
	for _, m := range s.GetMasters() {
		out.Masters = append(out.Masters, masterOf(m))
	}
	for _, d := range s.GetDoubts() {
		out.Doubts = append(out.Doubts, doubtJSON{d.GetWorkerId(), moment(d.GetSuspectedMs()), moment(d.GetHeldUntilMs()), d.GetReason()})
	}
	return out
}

func masterOf(m *clusterpb.MasterView) masterJSON {
	return masterJSON{
		ID: m.GetId(), Spark: m.GetSpark(), Web: m.GetWeb(), REST: m.GetRest(), RPC: m.GetRpc(), Leader: m.GetLeader(), Alive: m.GetAlive(), Member: m.GetMember(),
		Voter: m.GetVoter(), Healthy: m.GetHealthy(), Lag: m.GetLag(), Problem: m.GetProblem(),
	}
}

func (s *statusJSON) table(t *table) {
	t.line("Cluster   %s, term %d, index %d", cell(s.Cluster), s.Term, s.Index)
	if s.Leader == "" {
		t.line("Leader    NONE: no command is carried out now. What follows is what %s knows, and may be behind", s.AnsweredBy)
	} else {
		t.line("Leader    %s; %s", s.Leader, s.quorum())
	}
	if s.Stale && s.Leader != "" {
		t.line("Stale     this is what %s knows, and may be behind%s", s.AnsweredBy, because(s.StaleReason))
	}
	w := s.Workers
	t.line("Workers   %d alive, %d decommissioned, %d dead", w.Alive, w.Decommissioned, w.Dead+w.Unknown)
	t.line("Cores     %d of %d used", w.CoresUsed, w.Cores)
	t.line("Memory    %s of %s used", mebibytes(w.MemoryUsedMB), mebibytes(w.MemoryMB))
	t.line("Apps      %d running, %d waiting, %d completed", s.Apps.Running, s.Apps.Waiting, s.Apps.Completed)
	t.line("Drivers   %d running, %d waiting, %d completed", s.Drivers.Running, s.Drivers.Waiting, s.Drivers.Completed)
	t.line("")
	masterRows(t, s.Masters)
	if len(s.Unreachable) > 0 {
		t.line("")
		for _, u := range s.Unreachable {
			t.line("%s does not answer: %s", u.Address, u.Problem)
		}
	}
	s.troubleTable(t)
}

func (s *statusJSON) quorum() string {
	switch {
	case s.Voters == 0:
		return "it has not told yet how the masters are"
	case s.FailureTolerance == 0:
		return "NO voter may fail without loss of the quorum" + s.unhealthy()
	}
	return fmt.Sprintf("%d of %d voters may fail%s", s.FailureTolerance, s.Voters, s.unhealthy())
}

func (s *statusJSON) unhealthy() string {
	if s.Healthy {
		return ""
	}
	return "; not every master is healthy"
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return " (" + reason + ")"
}

// troubleTable shows doubts about workers, and what waits.
func (s *statusJSON) troubleTable(t *table) {
	if s.VerdictsHeld > 0 {
		t.line("\nMany workers were lost at once: the leader declares none dead until %s", time.UnixMilli(int64(s.VerdictsHeld)).Format(time.TimeOnly))
	}
	if len(s.Doubts) > 0 {
		t.line("")
		var rows [][]string
		for _, d := range s.Doubts {
			what := "held back until " + time.UnixMilli(int64(d.HeldUntil)).Format(time.TimeOnly)
			if d.Suspected != 0 {
				what = "suspect for " + t.age(d.Suspected)
			}
			rows = append(rows, []string{d.Worker, what, d.Reason})
		}
		t.rows([]string{"WORKER", "GETS NOTHING", "REASON"}, rows)
	}
	if len(s.Waiting) > 0 {
		t.line("")
		waitingRows(t, s.Waiting)
	}
}

func waitingRows(t *table, waiting []waitingJSON) {
	var rows [][]string
	for _, w := range waiting {
		rows = append(rows, []string{w.who(), w.AppName, w.Cause, w.Reason})
	}
	t.rows([]string{"WAITING", "NAME", "CAUSE", "REASON"}, rows)
}

func masterRows(t *table, masters []masterJSON) {
	var rows [][]string
	for _, m := range masters {
		rows = append(rows, []string{m.ID, m.role(), m.health(), strconv.FormatUint(m.Lag, 10), m.RPC, m.Spark, m.Problem, m.Web, m.REST})
	}
	t.rows([]string{"MASTER", "ROLE", "HEALTH", "LAG", "GRPC", "SPARK", "PROBLEM", "|", "WEB", "REST"}, rows)
}

func (m masterJSON) role() string {
	switch {
	case m.Leader:
		return "leader"
	case m.Voter:
		return "voter"
	case m.Member:
		return "spare"
	}
	return "no member"
}

func (m masterJSON) health() string {
	switch {
	case m.Healthy:
		return "healthy"
	case m.Alive:
		return "alive"
	}
	return "not seen"
}

// firstError gives the first that is one.
func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
