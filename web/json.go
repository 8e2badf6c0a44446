package web

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/firesteel/firesteel/fsm"
	"github.com/firesteel/firesteel/web/sparkjson"
)

// jsonField is MasterPage's pattern: letters only, whatever follows them.
var jsonField = regexp.MustCompile(`^/json/([a-zA-Z]+)`)

// linearizable is the value of ?consistency= that asks for all that was committed before the request came, on whichever
// master it came; without it the answer is what this master has applied, which may lag by moments.
const linearizable = "linearizable"

// JSONHandler serves GET /json/ and GET /json/<field> (the latter as Spark 4.x; 3.5 gave the whole document).
func JSONHandler(m Master, now func() time.Time) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("consistency") == linearizable {
			if err := m.ReadBarrier(r.Context()); err != nil {
				http.Error(w, err.Error(), http.StatusServiceUnavailable)
				return
			}
		}
		doc := document(m, now())
		if f := jsonField.FindStringSubmatch(r.URL.Path); f != nil {
			doc = field(m, doc, f[1])
		}
		h := w.Header()
		h.Set("Content-Type", "text/json;charset=utf-8")
		h.Set("Cache-Control", "no-cache, no-store, must-revalidate")
		h.Set("X-Frame-Options", "SAMEORIGIN")
		h.Set("X-XSS-Protection", "1; mode=block")
		h.Set("X-Content-Type-Options", "nosniff")
		_, _ = w.Write([]byte(doc.String())) // a client that has gone away is told nothing
	})
}

func field(m Master, doc sparkjson.Object, name string) sparkjson.Object {
	if name == "clusterutilization" {
		return utilization(m.State())
	}
	v, ok := doc.Get(name)
	if !ok {
		v = ""
	}
	return sparkjson.Object{{Key: name, Value: v}}
}

// document is JsonProtocol.writeMasterState.
func document(m Master, now time.Time) sparkjson.Object {
	s := m.State()
	t := sum(s)
	status := "STANDBY"
	if m.Leading() {
		status = "ALIVE"
	}
	workers, resources, used := []sparkjson.Object{}, []sparkjson.Object{}, []sparkjson.Object{}
	for w := range s.Workers() {
		workers = append(workers, worker(w, m.LastHeartbeat(w.ID)))
		if w.State == fsm.WorkerAlive {
			resources = append(resources, resourceMap(w.Resources))
			used = append(used, resourceMap(fullUse(w)))
		}
	}
	return sparkjson.Object{
		{Key: "url", Value: m.URL()},
		{Key: "workers", Value: workers},
		{Key: "aliveworkers", Value: t.alive},
		{Key: "cores", Value: t.cores},
		{Key: "coresused", Value: t.coresUsed},
		{Key: "memory", Value: t.memory},
		{Key: "memoryused", Value: t.memoryUsed},
		{Key: "resources", Value: resources},
		{Key: "resourcesused", Value: used},
		{Key: "activeapps", Value: activeApps(s, now)},
		{Key: "completedapps", Value: completedApps(s, now)},
		{Key: "activedrivers", Value: drivers(s.Drivers())},
		{Key: "completeddrivers", Value: drivers(s.CompletedDrivers())},
		{Key: "status", Value: status},
	}
}

type totals struct{ alive, cores, coresUsed, memory, memoryUsed int }

// sum counts ALIVE workers only, as MasterStateResponse does.
func sum(s *fsm.State) (t totals) {
	for w := range s.Workers() {
		if w.State != fsm.WorkerAlive {
			continue
		}
		t.alive++
		t.cores += w.Cores
		t.coresUsed += w.CoresUsed
		t.memory += w.MemoryMB
		t.memoryUsed += w.MemoryUsedMB
	}
	return t
}

// utilization is JsonProtocol.writeClusterUtilization (Spark 4.0).
func utilization(s *fsm.State) sparkjson.Object {
	t := sum(s)
	percent := func(used, all int) int {
		if all == 0 {
			return 100
		}
		return 100 * used / all
	}
	return sparkjson.Object{
		{Key: "waitingDrivers", Value: s.WaitingDriverCount()},
		{Key: "cores", Value: t.cores},
		{Key: "coresused", Value: t.coresUsed},
		{Key: "coresutilization", Value: percent(t.coresUsed, t.cores)},
		{Key: "memory", Value: t.memory},
		{Key: "memoryused", Value: t.memoryUsed},
		{Key: "memoryutilization", Value: percent(t.memoryUsed, t.memory)},
	}
}

func worker(w *fsm.Worker, heartbeat int64) sparkjson.Object {
	used, free := fullUse(w), map[string][]string{}
	for name, addrs := range w.Resources {
		free[name] = slices.DeleteFunc(slices.Clone(addrs), func(a string) bool { return slices.Contains(used[name], a) })
	}
	return sparkjson.Object{
		{Key: "id", Value: w.ID},
		{Key: "host", Value: w.Host},
		{Key: "port", Value: w.Port},
		{Key: "webuiaddress", Value: w.WebUIURL},
		{Key: "cores", Value: w.Cores},
		{Key: "coresused", Value: w.CoresUsed},
		{Key: "coresfree", Value: w.CoresFree()},
		{Key: "memory", Value: w.MemoryMB},
		{Key: "memoryused", Value: w.MemoryUsedMB},
		{Key: "memoryfree", Value: w.MemoryFreeMB()},
		{Key: "resources", Value: resourceMap(w.Resources)},
		{Key: "resourcesused", Value: resourceMap(used)},
		{Key: "resourcesfree", Value: resourceMap(free)},
		{Key: "state", Value: w.State.String()},
		{Key: "lastheartbeat", Value: max(heartbeat, w.Registered)},
	}
}

// fullUse names every resource of a worker, also those of which nothing is used.
func fullUse(w *fsm.Worker) map[string][]string {
	used := map[string][]string{}
	for name := range w.Resources {
		used[name] = w.ResourcesUsed[name]
	}
	return used
}

func resourceMap(r map[string][]string) sparkjson.Object {
	out := sparkjson.Object{}
	for _, name := range slices.Sorted(maps.Keys(r)) {
		out = append(out, sparkjson.Member{Key: name, Value: sparkjson.Object{
			{Key: "name", Value: name}, {Key: "addresses", Value: append([]string{}, r[name]...)},
		}})
	}
	return out
}

func activeApps(s *fsm.State, now time.Time) []sparkjson.Object {
	out := []sparkjson.Object{}
	for a := range s.Apps() {
		out = append(out, app(a, now))
	}
	return out
}

func completedApps(s *fsm.State, now time.Time) []sparkjson.Object {
	out := []sparkjson.Object{}
	for c := range s.CompletedApps() {
		out = append(out, app(c.App, now))
	}
	return out
}

func app(a *fsm.App, now time.Time) sparkjson.Object {
	def := a.Profiles[0]
	needs := []sparkjson.Object{}
	for _, r := range def.Resources {
		needs = append(needs, sparkjson.Object{{Key: "name", Value: r.Name}, {Key: "amount", Value: r.Amount}})
	}
	end := now.UnixMilli()
	if a.Ended != 0 {
		end = a.Ended
	}
	return sparkjson.Object{
		{Key: "id", Value: a.ID},
		{Key: "starttime", Value: a.Submitted},
		{Key: "name", Value: a.Name},
		{Key: "cores", Value: a.Cores},
		{Key: "user", Value: a.User},
		{Key: "memoryperexecutor", Value: def.MemoryMB},
		{Key: "memoryperslave", Value: def.MemoryMB},
		{Key: "resourcesperexecutor", Value: needs},
		{Key: "resourcesperslave", Value: needs},
		{Key: "submitdate", Value: javaDate(a.Submitted)},
		{Key: "state", Value: a.State.String()},
		{Key: "duration", Value: end - a.Submitted},
	}
}

func drivers(all func(func(*fsm.Driver) bool)) []sparkjson.Object {
	out := []sparkjson.Object{}
	for d := range all {
		worker := d.WorkerID
		if worker == "" {
			worker = "None"
		}
		out = append(out, sparkjson.Object{
			{Key: "id", Value: d.ID},
			{Key: "starttime", Value: strconv.FormatInt(d.Submitted, 10)},
			{Key: "state", Value: d.State.String()},
			{Key: "cores", Value: d.Cores},
			{Key: "memory", Value: d.MemoryMB},
			{Key: "resources", Value: resourceMap(d.Resources)},
			{Key: "submitdate", Value: javaDate(d.Submitted)},
			{Key: "worker", Value: worker},
			{Key: "mainclass", Value: d.MainClass},
		})
	}
	return out
}

// javaDate is java.util.Date.toString in the zone of this process.
func javaDate(ms int64) string { return time.UnixMilli(ms).Format("Mon Jan 02 15:04:05 MST 2006") }
