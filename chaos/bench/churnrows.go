package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/firesteel/firesteel/chaos/load"
)

// churnGoal is a load and what is to be reached under it, as a multiple of what the original reaches without persistence.
type churnGoal struct {
	load   load.Config
	factor float64
	stated float64 // applications a second of the original as measured earlier; taken where it is not measured beside
}

var (
	churn100  = churnGoal{load.Config{Workers: 100}, 1, 589}
	churn1000 = churnGoal{load.Config{Workers: 1000}, 10, 56}
	churnHeld = churnGoal{load.Config{Workers: 1000, Held: 3000}, 10, 54}
)

// inFlight is how many applications come and go at a time.
const inFlight = 64

func (g churnGoal) row(ctx context.Context, b *Bench) ([]Line, error) {
	c := g.load
	c.Scala, c.InFlight, c.Warm, c.Measure = b.scala(), inFlight, b.Measure, b.Measure
	r, err := ChurnOurs(ctx, b.Binary, c)
	if err != nil {
		return nil, err
	}
	b.Say("    %s", r)
	if !b.Original {
		return append(r.lines(g.factor*g.stated), originalAsStated(g.stated)), nil
	}
	o, err := ChurnOriginal(ctx, b.Release, c)
	if err == nil && o.Apps == 0 {
		err = errors.New("the original has finished no application while it was measured: give it longer (-measure)")
	}
	if err != nil {
		return append(r.lines(g.factor*g.stated), originalAsStated(g.stated)), err
	}
	return append(r.lines(g.factor*o.Rate()), o.lines(0)...), nil
}

// lines are the rate and what it costs.
func (c Churn) lines(goal float64) []Line {
	rate := Least(c.Name, "apps_per_s", "applications/s", c.Rate(), goal, c.Apps)
	rate.Values["failed"] = float64(c.Failed)
	rate.Figure += fmt.Sprintf(" (%d failed)", c.Failed)
	if goal > 0 {
		rate.Verdict = verdict(c.Rate() >= goal && c.Failed == 0)
	}
	cpu := Line{Subject: c.Name + ", CPU per application", Runs: c.Apps, Values: map[string]float64{
		"masters_ms": c.perApp(c.MasterCPU), "client_ms": c.perApp(c.ClientCPU),
	}}
	cpu.Figure = fmt.Sprintf("masters %.2f ms, client %.2f ms", cpu.Values["masters_ms"], cpu.Values["client_ms"])
	return []Line{rate, cpu}
}

// perApp is a CPU time in milliseconds of each application; 0 if there were none.
func (c Churn) perApp(d time.Duration) float64 {
	if c.Apps == 0 {
		return 0
	}
	return ms(d) / float64(c.Apps)
}

func originalAsStated(rate float64) Line {
	return Line{Subject: "the original, as measured earlier", Figure: number(rate) + " applications/s"}
}
