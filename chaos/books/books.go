package books

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Books is the answer to GET /json/ (Spark's JsonProtocol.writeMasterState), as far as the experiments look at it.
type Books struct {
	URL           string   `json:"url"`
	Status        string   `json:"status"` // ALIVE on the leader, STANDBY on others
	Workers       []Worker `json:"workers"`
	AliveWorkers  int      `json:"aliveworkers"`
	Cores         int      `json:"cores"`
	CoresUsed     int      `json:"coresused"`
	Memory        int      `json:"memory"` // MiB, as all memory here
	MemoryUsed    int      `json:"memoryused"`
	ActiveApps    []App    `json:"activeapps"`
	CompletedApps []App    `json:"completedapps"`

	ActiveDrivers    []Driver `json:"activedrivers"`
	CompletedDrivers []Driver `json:"completeddrivers"`
}

// Worker is one worker, whatever its state.
type Worker struct {
	ID         string `json:"id"`
	Host       string `json:"host"`
	Port       int    `json:"port"`
	WebUI      string `json:"webuiaddress"`
	Cores      int    `json:"cores"`
	CoresUsed  int    `json:"coresused"`
	Memory     int    `json:"memory"`
	MemoryUsed int    `json:"memoryused"`
	State      string `json:"state"` // ALIVE, DEAD, DECOMMISSIONED, UNKNOWN
}

// App is one application, active or completed.
type App struct {
	ID                string `json:"id"`
	Name              string `json:"name"`
	Cores             int    `json:"cores"` // granted now
	MemoryPerExecutor int    `json:"memoryperexecutor"`
	State             string `json:"state"` // WAITING, RUNNING, FINISHED, FAILED, KILLED
}

// Driver is one driver of cluster mode, active or completed.
type Driver struct {
	ID        string `json:"id"`
	State     string `json:"state"` // SUBMITTED, RUNNING, RELAUNCHING, FINISHED, FAILED, KILLED, ERROR
	Worker    string `json:"worker"`
	Cores     int    `json:"cores"`
	Memory    int    `json:"memory"`
	MainClass string `json:"mainclass"`
}

// Driver finds a driver by id, and tells whether it has ended.
func (b Books) Driver(id string) (d Driver, ended, ok bool) {
	same := func(d Driver) bool { return d.ID == id }
	if i := slices.IndexFunc(b.ActiveDrivers, same); i >= 0 {
		return b.ActiveDrivers[i], false, true
	}
	if i := slices.IndexFunc(b.CompletedDrivers, same); i >= 0 {
		return b.CompletedDrivers[i], true, true
	}
	return Driver{}, false, false
}

// Active finds an application that has not ended, by id or name.
func (b Books) Active(idOrName string) (App, bool) { return find(b.ActiveApps, idOrName) }

// Completed finds an application that has ended, by id or name.
func (b Books) Completed(idOrName string) (App, bool) { return find(b.CompletedApps, idOrName) }

func find(apps []App, idOrName string) (App, bool) {
	i := slices.IndexFunc(apps, func(a App) bool { return a.ID == idOrName || a.Name == idOrName })
	if i < 0 {
		return App{}, false
	}
	return apps[i], true
}

// Worker finds a worker by id.
func (b Books) Worker(id string) (Worker, bool) {
	i := slices.IndexFunc(b.Workers, func(w Worker) bool { return w.ID == id })
	if i < 0 {
		return Worker{}, false
	}
	return b.Workers[i], true
}

// Check tells what does not add up: a worker that gives more than it has, or sums that are not those of its parts.
func (b Books) Check() error {
	var cores, used, mem, memUsed, alive int
	for _, w := range b.Workers {
		if w.CoresUsed > w.Cores || w.CoresUsed < 0 || w.MemoryUsed > w.Memory || w.MemoryUsed < 0 {
			return fmt.Errorf("worker %s is oversold: %d of %d cores, %d of %d MiB", w.ID, w.CoresUsed, w.Cores, w.MemoryUsed, w.Memory)
		}
		if w.State == "ALIVE" {
			alive++
			cores, used, mem, memUsed = cores+w.Cores, used+w.CoresUsed, mem+w.Memory, memUsed+w.MemoryUsed
		}
	}
	if alive != b.AliveWorkers || cores != b.Cores || used != b.CoresUsed || mem != b.Memory || memUsed != b.MemoryUsed {
		return fmt.Errorf("sums differ from their parts: workers %d/%d, cores %d/%d used %d/%d, memory %d/%d used %d/%d",
			b.AliveWorkers, alive, b.Cores, cores, b.CoresUsed, used, b.Memory, mem, b.MemoryUsed, memUsed)
	}
	return nil
}

// String is one line a worker and an application, for messages.
func (b Books) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "%s %s: %d alive workers, %d of %d cores and %d of %d MiB used", b.URL, b.Status, b.AliveWorkers, b.CoresUsed, b.Cores, b.MemoryUsed, b.Memory)
	for _, w := range b.Workers {
		fmt.Fprintf(&s, "\n    worker %s %s, %d of %d cores used", w.ID, w.State, w.CoresUsed, w.Cores)
	}
	for _, a := range b.ActiveApps {
		fmt.Fprintf(&s, "\n    active %s %q %s, %d cores", a.ID, a.Name, a.State, a.Cores)
	}
	for _, a := range b.CompletedApps {
		fmt.Fprintf(&s, "\n    completed %s %q %s", a.ID, a.Name, a.State)
	}
	for _, d := range b.ActiveDrivers {
		fmt.Fprintf(&s, "\n    driver %s %q %s on %s", d.ID, d.MainClass, d.State, d.Worker)
	}
	return s.String()
}

// Read asks a web UI, http://host:port, for its books.
func Read(ctx context.Context, web string) (Books, error) {
	var b Books
	return b, get(ctx, web+"/json/", &b)
}

// client opens a connection for each request: a master that is frozen, killed and started again must not be asked
// over what is left of the last one.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 2 * time.Second}

func get(ctx context.Context, url string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("ask %s: %w", url, err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return err // names method and URL
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<20))
	if err != nil {
		return fmt.Errorf("read the answer of %s: %w", url, err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("ask %s: %s: %.200s", url, resp.Status, body)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("the answer of %s is not the JSON it should be: %w: %.200s", url, err, body)
	}
	return nil
}

// Interval is how often Poll looks.
const Interval = 20 * time.Millisecond

// ErrHopeless ends a Poll: what is waited for cannot come any more.
var ErrHopeless = errors.New("it cannot come any more")

// Poll looks until look returns nil, and gives its last error when the context ends. what says in the message what was
// waited for.
func Poll(ctx context.Context, what string, look func(context.Context) error) error {
	tick := time.NewTicker(Interval)
	defer tick.Stop()
	for last := error(nil); ; {
		err := look(ctx)
		if err == nil {
			return nil
		}
		if errors.Is(err, ErrHopeless) {
			return fmt.Errorf("wait for %s: %w", what, err)
		}
		if ctx.Err() == nil || last == nil { // else it tells only that time is up
			last = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w; last seen: %w", what, context.Cause(ctx), last)
		case <-tick.C:
		}
	}
}
