package fsm

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// Spark's defaults where a profile does not say (ResourceProfile.MEMORY default, spark.executor.memory).
const defaultExecutorMemoryMB = 1024

func (t *txn) registerApplication(c *RegisterApplication) (any, *Refusal) {
	in := c.App
	if in.DriverHost == "" || in.DriverPort <= 0 {
		return nil, &Refusal{CodeInvalid, fmt.Sprintf("application %q: its driver gave no address", in.Name)}
	}
	driver := addressKey(in.DriverHost, in.DriverPort)
	if seq, ok := t.appDrv.Get(driver); ok {
		if a, ok := t.apps.Get(seqKey(seq)); ok {
			if bytes.Equal(a.Description, in.Description) {
				t.emit(Event{Kind: AppRegisteredAgain, App: a})
				return AppRegistered{AppID: a.ID, Duplicate: true}, nil
			}
			// With a fixed spark.driver.port the next driver can be there before anybody has missed the last one.
			t.endApp(vanished(a), AppFailed, "its driver is gone without unregistering: another one registered from its address", in.Submitted, c.Retained)
		}
	}
	if a, ok := t.lateCopy(&in); ok {
		return AppRegistered{AppID: a.ID, Duplicate: true}, nil
	}
	starter, refusal := t.checkStarter(in.DriverID)
	if refusal != nil {
		return nil, refusal
	}
	def := Profile{Target: Unlimited}
	if len(in.Profiles) > 0 {
		def = in.Profiles[0]
	}
	def.ID = 0
	if err := def.check(); err != nil {
		return nil, &Refusal{CodeInvalid, fmt.Sprintf("application %q: %v", in.Name, err)}
	}
	t.c.AppSeq++
	a := &App{
		Seq: t.c.AppSeq, Name: in.Name, User: in.User, UIURL: in.UIURL, MaxCores: in.MaxCores, Build: intern(in.Build),
		DriverHost: in.DriverHost, DriverPort: in.DriverPort, DriverRef: in.DriverRef, Description: in.Description,
		Submitted: in.Submitted, State: AppWaiting, DriverID: starter,
	}
	a.ID = t.nextAppID(c.ID)
	def.Live = 0
	if def.MemoryMB == 0 {
		def.MemoryMB = defaultExecutorMemoryMB
	}
	a.Profiles = []Profile{normal(def)}
	t.appIDs.Insert([]byte(a.ID), a.Seq)
	t.appDrv.Insert(driver, a.Seq)
	t.indexStarter(a)
	t.putApp(a)
	t.emit(Event{Kind: AppChanged, App: a})
	return AppRegistered{AppID: a.ID}, nil
}

// check tells what can never be in a profile. What is negative would give a worker more than it has.
func (p *Profile) check() error {
	if p.ID < 0 || p.Cores < 0 || p.MemoryMB < 0 {
		return fmt.Errorf("profile %d asks for %d cores and %d MiB", p.ID, p.Cores, p.MemoryMB)
	}
	if err := checkNeeds(p.Resources); err != nil {
		return fmt.Errorf("profile %d %w", p.ID, err)
	}
	return nil
}

// normal sorts the custom resources by name, as ResourceProfile's requirements are.
func normal(p Profile) Profile {
	p.Resources = slices.Clone(p.Resources)
	slices.SortFunc(p.Resources, func(x, y ResourceAmount) int { return strings.Compare(x.Name, y.Name) })
	return p
}

// nextAppID numbers applications as Master.newApplicationId does. The number is never reset, so an id is not given
// twice; with a modulo, or with names as ids, a collision is resolved by counting on.
func (t *txn) nextAppID(p IDParts) string {
	if p.Exact != "" {
		id := p.Exact
		for n := 1; t.idTaken(id); n++ {
			id = fmt.Sprintf("%s-%d", p.Exact, n)
		}
		return id
	}
	for tried := uint64(0); ; tried++ {
		n := t.c.AppNumber
		t.c.AppNumber++
		if p.Modulo > 0 && tried < p.Modulo { // where live applications have all of them, the number grows after all
			n %= p.Modulo
		}
		if id := p.with(n); !t.idTaken(id) {
			return id
		}
	}
}

const maxIDWidth = 64 // digits

func (p IDParts) with(n uint64) string {
	return fmt.Sprintf("%s%0*d%s", p.Prefix, min(max(p.Width, 0), maxIDWidth), n, p.Suffix)
}

func (t *txn) idTaken(id string) bool {
	_, live := t.appIDs.Get([]byte(id))
	return live
}

func (t *txn) finishApplication(c *FinishApplication) (any, *Refusal) {
	a, ok := t.app(c.AppID)
	if !ok || c.DriverPort != 0 && (c.DriverHost != a.DriverHost || c.DriverPort != a.DriverPort) {
		return nil, &Refusal{CodeUnknownApp, fmt.Sprintf("application %s is not live", c.AppID)}
	}
	if c.State != AppFinished && c.State != AppFailed && c.State != AppKilled {
		return nil, &Refusal{CodeInvalid, fmt.Sprintf("application %s cannot end in state %s", c.AppID, c.State)}
	}
	if c.Vanished {
		a = vanished(a)
	}
	t.endApp(a, c.State, c.Message, c.At, c.Retained)
	return nil, nil
}

func vanished(a *App) *App {
	a = editApp(a)
	a.Vanished = true
	return a
}

// endApp is Master.removeApplication: its executors leave their workers, and the application goes to the completed ring.
func (t *txn) endApp(a *App, s AppState, message string, at int64, retained int) {
	final := editApp(a)
	final.State, final.Message, final.Ended = s, clip(message), at
	final.DescriptionSum = descriptionSum(final.Description)
	final.Description = nil // only needed to start executors
	if s == AppFinished {
		final.DriverRef = nil // any other end has to be told to the driver, by the next leader if this one dies
	}
	done := &CompletedApp{App: final}
	for _, e := range list(&t.execs, seqKey(a.Seq)) {
		if !e.State.Finished() {
			t.onWorker.Delete(workerExecKey(e))
			t.release(e.WorkerID, e.Cores, e.MemoryMB, e.Resources)
			e = editExecutor(e)
			e.State, e.Changed, e.Message = ExecutorKilled, at, "application "+s.String()
			t.emit(Event{Kind: ExecutorDismissed, App: final, Executor: e})
		}
		done.Executors = append(done.Executors, e)
		t.execs.Delete(execKey(a.Seq, e.ID))
	}
	if over := len(done.Executors) - keptRemoved; over > 0 {
		done.Executors = done.Executors[over:]
	}
	key := seqKey(a.Seq)
	last, _ := t.apps.Delete(key)
	t.indexWants(last, nil)
	t.wanting.Delete(key)
	t.appIDs.Delete([]byte(a.ID))
	t.appDrv.Delete(addressKey(a.DriverHost, a.DriverPort))
	if a.DriverID != "" {
		t.driverApps.Delete(driverAppKey(a))
	}
	t.keepApp(done, retained)
	t.emit(Event{Kind: AppEnded, App: final, Executors: done.Executors, Message: message})
}

func (t *txn) requestExecutors(c *RequestExecutors) (any, *Refusal) {
	a, ok := t.app(c.AppID)
	if !ok {
		return nil, &Refusal{CodeUnknownApp, fmt.Sprintf("application %s asks for executors: it is not live", c.AppID)}
	}
	for i := range c.Targets {
		if err := c.Targets[i].check(); err != nil {
			return nil, &Refusal{CodeInvalid, fmt.Sprintf("application %s: %v", c.AppID, err)}
		}
	}
	a = editApp(a)
	for _, want := range c.Targets {
		if p, ok := a.Profile(want.ID); ok {
			p.Target = want.Target
			continue
		}
		// ApplicationInfo.createResourceDescForResourceProfile: cores and memory are inherited from the default
		// profile, custom resources are not.
		p := normal(want)
		p.Live = 0
		if p.Cores == 0 {
			p.Cores = a.Profiles[0].Cores
		}
		if p.MemoryMB == 0 {
			p.MemoryMB = a.Profiles[0].MemoryMB
		}
		a.Profiles = append(a.Profiles, p)
	}
	slices.SortFunc(a.Profiles, func(x, y Profile) int { return x.ID - y.ID })
	t.putApp(a)
	t.emit(Event{Kind: AppChanged, App: a})
	return nil, nil
}

// killExecutors is Master.handleKillExecutors: known ones leave the books at once and are killed by their workers; ids
// that are not known are passed over.
func (t *txn) killExecutors(c *KillExecutors) (any, *Refusal) {
	a, ok := t.app(c.AppID)
	if !ok {
		return nil, &Refusal{CodeUnknownApp, fmt.Sprintf("application %s asks for the end of executors: it is not live", c.AppID)}
	}
	for _, id := range c.IDs {
		e, ok := t.execs.Get(execKey(a.Seq, id))
		if !ok || e.State.Finished() {
			continue
		}
		before := e.State
		e = editExecutor(e)
		e.State, e.Changed, e.Message = ExecutorKilled, c.At, "killed at the application's request"
		t.onWorker.Delete(workerExecKey(e))
		t.release(e.WorkerID, e.Cores, e.MemoryMB, e.Resources)
		a = editApp(a)
		a.drop(e, before)
		t.keepRemoved(a, e)
		t.putApp(a)
		t.emit(Event{Kind: ExecutorDismissed, App: a, Executor: e})
	}
	return nil, nil
}
