package history

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// at is an operation from call to ret.
func at(call, ret Time, in any) op { return op{call, ret, in} }

func alive(id string) sight { return sight{[]Sighting{{"a", id, true, "RUNNING"}}} }
func done(id string) sight  { return sight{[]Sighting{{"a", id, false, "FINISHED"}}} }

var nothing = sight{}

// Every history that a cluster may show is accepted, and one that it may not is refused: a checker that cannot fail
// proves nothing.
func TestApplications(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ops   []op
		right bool
	}{
		"a plain life": {[]op{
			at(0, 1, nothing), at(2, 4, register{"x"}), at(5, 6, alive("x")), at(7, 7, answer{"x"}), at(8, never, unregister{}), at(20, 21, done("x")), at(22, 23, nothing),
		}, true},
		"a read beside the registration sees it or not": {[]op{at(0, 9, register{"x"}), at(1, 2, nothing), at(3, 4, alive("x")), at(5, 6, alive("x"))}, true},
		"a read that lost it again":                     {[]op{at(0, 9, register{"x"}), at(1, 2, alive("x")), at(3, 4, nothing)}, false},
		"an acknowledged one that a later read misses":  {[]op{at(0, 4, register{"x"}), at(5, 6, nothing)}, false},
		"a stale read after another one saw it":         {[]op{at(0, never, register{}), at(1, 2, alive("x")), at(3, 4, nothing)}, false},
		"no answer, carried out":                        {[]op{at(0, never, register{}), at(5, 6, nothing), at(8, 9, alive("x"))}, true},
		"no answer, not carried out":                    {[]op{at(0, never, register{}), at(5, 6, nothing)}, true},
		"no answer, under two ids":                      {[]op{at(0, never, register{}), at(5, 6, alive("x")), at(8, 9, alive("y"))}, false},
		"an answer with another id":                     {[]op{at(0, 4, register{"x"}), at(5, 5, answer{"y"})}, false},
		"an answer before the request":                  {[]op{at(1, 1, answer{"x"}), at(2, 4, register{"x"})}, false},
		"registered twice":                              {[]op{at(0, 4, register{"x"}), at(5, 6, register{"x"})}, false},
		"a read with another id":                        {[]op{at(0, 4, register{"x"}), at(5, 6, alive("y"))}, false},
		"two applications of one driver": {[]op{
			at(0, 4, register{"x"}), at(5, 6, sight{[]Sighting{{"a", "x", true, ""}, {"a", "y", true, ""}}}),
		}, false},
		"ended without a reason":       {[]op{at(0, 4, register{"x"}), at(5, 6, done("x"))}, false},
		"vanished without a reason":    {[]op{at(0, 4, register{"x"}), at(5, 6, alive("x")), at(7, 8, nothing)}, false},
		"ended before it was asked to": {[]op{at(0, 4, register{"x"}), at(5, 6, done("x")), at(7, never, unregister{})}, false},
		"the end takes its time":       {[]op{at(0, 4, register{"x"}), at(5, never, leave{}), at(6, 7, alive("x")), at(8, 9, done("x"))}, true},
		"back from the dead":           {[]op{at(0, 4, register{"x"}), at(5, never, unregister{}), at(6, 7, done("x")), at(8, 9, alive("x"))}, false},
		"back from oblivion":           {[]op{at(0, 4, register{"x"}), at(5, never, unregister{}), at(6, 7, nothing), at(8, 9, done("x"))}, false},
		"removed under a live driver":  {[]op{at(0, 4, register{"x"}), at(5, 5, removed{"KILLED"})}, false},
		"removed at its own wish":      {[]op{at(0, 4, register{"x"}), at(5, never, unregister{}), at(6, 6, removed{"FINISHED"})}, true},
		"an end that was lost":         {[]op{at(0, 4, register{"x"}), at(5, never, unregister{}), at(6, 7, alive("x"))}, true},
	} {
		expect(t, name, job{"application a", appModel, c.ops}, c.right)
	}
}

func TestDrivers(t *testing.T) {
	t.Parallel()
	in := func(id, state string) shown { return shown{[]DriverSighting{{"d", id, false, state}}} }
	over := func(id, state string) shown { return shown{[]DriverSighting{{"d", id, true, state}}} }
	for name, c := range map[string]struct {
		ops   []op
		right bool
	}{
		"a plain life": {[]op{
			at(0, 1, shown{}), at(2, 4, submit{"x"}), at(5, 6, in("x", "SUBMITTED")), at(7, 8, in("x", "RUNNING")), at(9, never, mayEnd{"FINISHED"}), at(20, 21, over("x", "FINISHED")), at(22, 23, over("x", "FINISHED")),
		}, true},
		"moved":                           {[]op{at(0, 1, submit{"x"}), at(2, 3, in("x", "RUNNING")), at(4, 5, in("x", "RELAUNCHING")), at(6, 7, in("x", "RUNNING"))}, true},
		"two drivers of one submission":   {[]op{at(0, 1, submit{"x"}), at(2, 3, shown{[]DriverSighting{{"d", "x", false, "RUNNING"}, {"d", "y", false, "RUNNING"}}})}, false},
		"one after the other":             {[]op{at(0, never, submit{}), at(2, 3, in("x", "RUNNING")), at(4, 5, in("y", "RUNNING"))}, false},
		"another answer":                  {[]op{at(0, 1, submit{"x"}), at(2, 2, toldID{"y"})}, false},
		"the same answer":                 {[]op{at(0, 1, submit{"x"}), at(2, 2, toldID{"x"})}, true},
		"accepted and lost":               {[]op{at(0, 1, submit{"x"}), at(2, 3, shown{})}, false},
		"no answer, not carried out":      {[]op{at(0, never, submit{}), at(2, 3, shown{})}, true},
		"waits again as if new":           {[]op{at(0, 1, submit{"x"}), at(2, 3, in("x", "RUNNING")), at(4, 5, in("x", "SUBMITTED"))}, false},
		"ended without a reason":          {[]op{at(0, 1, submit{"x"}), at(2, 3, over("x", "FINISHED"))}, false},
		"ended for another reason":        {[]op{at(0, 1, submit{"x"}), at(2, never, mayEnd{"KILLED"}), at(4, 5, over("x", "FINISHED"))}, false},
		"the reason comes too late":       {[]op{at(0, 1, submit{"x"}), at(2, 3, over("x", "KILLED")), at(4, never, mayEnd{"KILLED"})}, false},
		"back from the dead":              {[]op{at(0, 1, submit{"x"}), at(1, never, mayEnd{"KILLED"}), at(2, 3, over("x", "KILLED")), at(4, 5, in("x", "RUNNING"))}, false},
		"its end changes":                 {[]op{at(0, 1, submit{"x"}), at(1, never, mayEnd{"KILLED"}), at(1, never, mayEnd{"FINISHED"}), at(2, 3, over("x", "KILLED")), at(4, 5, over("x", "FINISHED"))}, false},
		"forgotten":                       {[]op{at(0, 1, submit{"x"}), at(1, never, mayEnd{"KILLED"}), at(2, 3, over("x", "KILLED")), at(4, 5, shown{})}, false},
		"a kill that is still on its way": {[]op{at(0, 1, submit{"x"}), at(2, never, mayEnd{"KILLED"}), at(3, 4, in("x", "RUNNING"))}, true},
	} {
		expect(t, name, job{"driver d", driverModel, c.ops}, c.right)
	}
}

func TestExecutors(t *testing.T) {
	t.Parallel()
	ended := at(50, never, reason{"its own"})
	for name, c := range map[string]struct {
		ops   []op
		right bool
	}{
		"a plain life": {[]op{
			at(0, 1, missing{}), at(2, 2, launch{"w"}), at(2, 2, told{"w"}), at(4, 4, running{}), at(5, 6, seen{[]string{"w"}}),
			ended, at(60, 60, over{"EXITED"}), at(61, 62, missing{}),
		}, true},
		"the read knows it first":          {[]op{at(0, 1, seen{[]string{"w"}}), at(2, 2, launch{"w"}), at(3, 3, told{"w"})}, true},
		"launched twice":                   {[]op{at(1, 1, launch{"w"}), at(2, 2, launch{"w"})}, false},
		"launched on two workers":          {[]op{at(1, 1, launch{"w"}), at(2, 2, launch{"v"})}, false},
		"told of another worker":           {[]op{at(1, 1, launch{"w"}), at(2, 2, told{"v"})}, false},
		"told of two workers":              {[]op{at(1, 1, told{"w"}), at(2, 2, told{"v"})}, false},
		"told twice of the same":           {[]op{at(1, 1, told{"w"}), at(2, 2, told{"w"})}, true},
		"a read on two workers":            {[]op{at(1, 2, seen{[]string{"w", "v"}})}, false},
		"reads that disagree":              {[]op{at(1, 2, seen{[]string{"w"}}), at(1, 2, seen{[]string{"v"}})}, false},
		"running before its launch":        {[]op{at(1, 1, running{}), at(2, 2, launch{"w"})}, false},
		"forgotten":                        {[]op{at(1, 1, launch{"w"}), at(2, 3, seen{[]string{"w"}}), at(4, 5, missing{})}, false},
		"forgotten at once":                {[]op{at(1, 1, launch{"w"}), at(4, 5, missing{})}, false},
		"killed without a reason":          {[]op{at(1, 1, launch{"w"}), at(2, 2, killed{"w"})}, false},
		"killed for a reason":              {[]op{at(1, 1, launch{"w"}), at(2, never, reason{"x"}), at(3, 3, killed{"w"})}, true},
		"killed on another worker":         {[]op{at(1, 1, launch{"w"}), at(2, never, reason{"x"}), at(3, 3, killed{"v"})}, false},
		"said to have ended, and had not":  {[]op{at(1, 1, launch{"w"}), at(2, 2, over{"LOST"})}, false},
		"given up before it was started":   {[]op{at(1, 2, seen{[]string{"w"}}), at(3, 3, over{"LOST"}), at(4, 5, missing{})}, true},
		"given up, then started":           {[]op{at(1, 2, seen{[]string{"w"}}), at(3, 3, over{"LOST"}), at(4, 4, launch{"w"})}, false},
		"gone, then started":               {[]op{at(1, 2, seen{[]string{"w"}}), at(3, 3, missing{}), at(4, 4, launch{"w"})}, false},
		"the reason comes too late":        {[]op{at(1, 1, launch{"w"}), at(2, 2, over{"LOST"}), at(3, never, reason{"x"})}, false},
		"back from the dead":               {[]op{at(1, 1, launch{"w"}), at(2, never, reason{"x"}), at(3, 4, missing{}), at(5, 6, seen{[]string{"w"}})}, false},
		"a late word to the driver":        {[]op{at(1, 1, launch{"w"}), at(2, never, reason{"x"}), at(3, 4, missing{}), at(5, 5, told{"w"})}, true},
		"launched late, after all is over": {[]op{at(1, 2, seen{[]string{"w"}}), at(2, never, reason{"x"}), at(3, 4, missing{}), at(5, 5, launch{"w"})}, true},
	} {
		expect(t, name, job{"executor x/0", executorModel, c.ops}, c.right)
	}
}

func TestCores(t *testing.T) {
	t.Parallel()
	a, b := take{"x", 0, 2}, take{"x", 1, 2}
	for name, c := range map[string]struct {
		ops   []any
		right bool
	}{
		"full, and full again": {[]any{a, b, free{"x", 0, 2}, take{"y", 0, 2}}, true},
		"oversold":             {[]any{a, b, take{"x", 2, 1}}, false},
		"taken twice":          {[]any{take{"x", 0, 1}, take{"x", 0, 1}}, false},
		"given back twice":     {[]any{a, free{"x", 0, 2}, free{"x", 0, 2}}, false},
	} {
		r := New()
		r.HasCores("w", 4)
		for _, in := range c.ops {
			r.core("w", in)
		}
		if v := r.Check(t.Context(), time.Minute); v.OK() != c.right || v.Histories != 1 {
			t.Errorf("%s: %v %v", name, v, v.Violations)
		}
	}
}

func expect(t *testing.T, name string, j job, right bool) {
	t.Helper()
	if got := j.check(time.Minute); (got == "Ok") != right || got == "Unknown" {
		t.Errorf("%s: %v\n%s", name, got, j)
	}
}

// The recorder as it is used, with a run that is right, and then with one wrong word of a master.
func TestRecorder(t *testing.T) {
	t.Parallel()
	run := func(wrong func(r *Recorder)) Verdict {
		r := New()
		for i := range 50 {
			name, id := fmt.Sprint("app", i), fmt.Sprint("id", i)
			r.HasCores(name+"-w", 1)
			r.Register(name)
			tick(r)
			r.Answered(name, id)
			r.Answered(name, id)
			r.Launched(id, 0, "w", r.Exact())
			r.Takes(name+"-w", id, 0, 1)
			r.Told(id, 0, "w", r.Exact())
			tick(r)
			r.Running(id, 0, r.Exact())
		}
		books := func() (all []Sighting, on []Placed) {
			for i := range 50 {
				all = append(all, Sighting{fmt.Sprint("app", i), fmt.Sprint("id", i), true, "RUNNING"})
				on = append(on, Placed{fmt.Sprint("id", i), 0, "w"})
			}
			return all, on
		}
		tick(r)
		for range 10 {
			all, on := books()
			call := r.Now()
			tick(r)
			r.ReadApps(call, all)
			r.ReadExecutors(call, on)
			tick(r)
		}
		r.Unregister("app7")
		r.Leave("app7")
		tick(r)
		r.Killed("id7", 0, "w", r.Exact())
		r.Over("id7", 0, "KILLED", r.Exact())
		all, on := books()
		all[7].Active, all[7].State = false, "FINISHED"
		call := r.Now()
		tick(r)
		r.ReadApps(call, all)
		r.ReadExecutors(call, append(on[:7], on[8:]...))
		tick(r)
		wrong(r)
		return r.Check(t.Context(), time.Minute)
	}
	if v := run(func(*Recorder) {}); !v.OK() || v.Histories != 150 || v.Operations < 500 {
		t.Errorf("a right one: %v %v", v, v.Violations)
	}
	for what, c := range map[string]struct {
		wrong func(r *Recorder)
		says  string
	}{
		"an id given twice": {func(r *Recorder) { r.Register("late"); tick(r); r.Answered("late", "id3") }, "two applications, app3 and late"},
		"a stale read of applications": {func(r *Recorder) {
			call := r.Now()
			tick(r)
			r.ReadApps(call, nil)
		}, "application app0"},
		"a stale read of executors": {func(r *Recorder) {
			call := r.Now()
			tick(r)
			r.ReadExecutors(call, nil)
		}, "executor id0/0"},
		"a contradicting answer": {func(r *Recorder) { r.Answered("app1", "other") }, "application app1"},
		"a second launch":        {func(r *Recorder) { r.Launched("id2", 0, "w", r.Exact()) }, "executor id2/0"},
		"an executor oversold":   {func(r *Recorder) { r.Takes("app4-w", "id4", 1, 1) }, "the 1 cores of worker app4-w"},
		"a kill from nowhere":    {func(r *Recorder) { r.Killed("id5", 0, "w", r.Exact()) }, "executor id5/0"},
		"an early removal":       {func(r *Recorder) { r.Removed("app6", "FAILED") }, "application app6"},
	} {
		v := run(c.wrong)
		if v.OK() || !strings.Contains(strings.Join(v.Violations, "\n"), c.says) {
			t.Errorf("%s: %v %v", what, v, v.Violations)
		}
	}
}

// tick lets the clock of the history move, so that what comes after is after.
func tick(r *Recorder) {
	for now := r.Now(); r.Now() <= now; {
	}
}

// A driver that never got its answer has executors all the same, and its end is a reason for theirs.
func TestExecutorsOfAnUnansweredApplication(t *testing.T) {
	t.Parallel()
	r := New()
	r.Register("a")
	tick(r)
	r.ReadApps(r.Now(), []Sighting{{"a", "x", true, "RUNNING"}})
	r.Launched("x", 0, "w", r.Exact())
	tick(r)
	r.Leave("a")
	tick(r)
	r.Killed("x", 0, "w", r.Exact())
	if v := r.Check(t.Context(), time.Minute); !v.OK() || v.Histories != 2 {
		t.Errorf("%v %v", v, v.Violations)
	}
	if c := r.Counts(); c != (Counts{Unanswered: 1, Vanished: 1, Launches: 1, AppReads: 1}) {
		t.Errorf("%+v", c)
	}
}
