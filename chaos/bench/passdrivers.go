package bench

import (
	"context"
	"fmt"

	"github.com/firesteel/firesteel/fsm"
)

// A pass of the scheduler while thousands of drivers wait for what no worker has: they must not be in its way. The cluster
// is that of passRow, with 5,000 workers.

const (
	passFewDrivers, passManyDrivers = 5000, 20000
	passDriverCores                 = 99 // more than any worker has
)

// waitingKinds is how alike the drivers are that wait.
var waitingKinds = []struct {
	name  string
	kinds int // 0: each is another
}{
	{"all wait for the same", 1},
	{"they wait for 50 things", 50},
	{"each waits for another thing", 0},
}

func passDriversRow(ctx context.Context, b *Bench) ([]Line, error) {
	var lines []Line
	for _, k := range waitingKinds {
		few, err := b.passesBeside(ctx, passFewDrivers, k.kinds)
		if err != nil {
			return lines, fmt.Errorf("%s: %w", k.name, err)
		}
		many, err := b.passesBeside(ctx, passManyDrivers, k.kinds)
		if err != nil {
			return lines, fmt.Errorf("%s: %w", k.name, err)
		}
		ratio := float64(many.Median()) / float64(few.Median())
		lines = append(lines,
			waitingLine(k.name, passFewDrivers, few), waitingLine(k.name, passManyDrivers, many),
			Most(fmt.Sprintf("%s, %d against %d waiting drivers", k.name, passManyDrivers, passFewDrivers), "ratio", "times", ratio, 0, len(many)))
	}
	return lines, nil
}

func waitingLine(what string, drivers int, s Samples) Line {
	l := passLine(what, passLarge, s, ms(passLimit))
	l.Subject = fmt.Sprintf("%s, %d waiting drivers, %d workers, median", what, drivers, passLarge)
	return l
}

// passesBeside times passes after an executor was lost, which is replaced, and after one more driver came, which waits.
func (b *Bench) passesBeside(ctx context.Context, drivers, kinds int) (s Samples, err error) {
	c, err := newPassCluster(passLarge, false)
	if err != nil {
		return nil, err
	}
	for i := range drivers {
		c.wait(i, kinds)
	}
	for i := range b.Passes {
		if ctx.Err() != nil {
			return s, ctx.Err()
		}
		want := 0
		if i%2 == 0 {
			c.replace()
			want = 1
		} else {
			c.wait(drivers+i, kinds)
		}
		took, placed := c.pass()
		if c.err == nil && placed != want {
			c.err = fmt.Errorf("%d placements, want %d", placed, want)
		}
		if c.err != nil {
			return s, c.err
		}
		s = append(s, took)
	}
	return s, nil
}

// wait submits a driver that fits nowhere.
func (c *passCluster) wait(i, kinds int) {
	memory := 1024 + i
	if kinds > 0 {
		memory = 1024 + i%kinds
	}
	c.apply(&fsm.SubmitDriver{
		Driver: fsm.Driver{Cores: passDriverCores, MemoryMB: memory, Build: passBuild, MainClass: "org.example.Main"},
		ID:     fsm.IDParts{Prefix: "driver-", Width: 4},
	}, nil)
}
