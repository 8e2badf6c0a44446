package bench

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/firesteel/firesteel/chaos/books"
	"github.com/firesteel/firesteel/chaos/cluster"
	"github.com/firesteel/firesteel/chaos/load"
	"github.com/firesteel/firesteel/chaos/original"
	"github.com/firesteel/firesteel/chaos/proc"
	"github.com/firesteel/firesteel/chaos/spark"
)

const (
	idleMasterMiB   = 60
	idleWorkerMiB   = 30
	loadedMasterMiB = 250

	loadedWorkers   = 1000
	loadedApps      = 100
	executorsOfEach = 100
)

// memory is what a process holds, in MiB.
type memory struct {
	RSS  float64 // resident
	PSS  float64 // resident, what it shares with others divided among them
	Peak float64 // the most that was ever resident
}

// memoryOf reads /proc/<pid>/smaps_rollup and status.
func memoryOf(p *proc.Process) (memory, error) {
	dir := "/proc/" + strconv.Itoa(p.PID()) + "/"
	var m memory
	for _, f := range []struct {
		file, name string
		into       *float64
	}{{"status", "VmRSS", &m.RSS}, {"status", "VmHWM", &m.Peak}, {"smaps_rollup", "Pss", &m.PSS}} {
		text := procField(dir+f.file, f.name)
		kb, err := strconv.ParseFloat(strings.TrimSuffix(text, " kB"), 64)
		if err != nil {
			return m, fmt.Errorf("the memory of %s: %s of %s is %q", p.Name, f.name, dir+f.file, text)
		}
		*f.into = kb / 1024
	}
	return m, nil
}

// largest is the memory of the process that holds the most.
func largest(processes []*proc.Process) (memory, error) {
	var most memory
	for _, p := range processes {
		m, err := memoryOf(p)
		if err != nil {
			return most, err
		}
		if m.RSS > most.RSS {
			most = m
		}
	}
	if most.RSS == 0 {
		return most, errors.New("there is no process to look at")
	}
	return most, nil
}

func memoryLine(subject string, m memory, limit float64, n int) Line {
	l := Most(subject, "rss_MiB", "MiB", m.RSS, limit, n)
	l.Figure = fmt.Sprintf("%s MiB resident (PSS %s, peak %s)", number(m.RSS), number(m.PSS), number(m.Peak))
	l.Values["pss_MiB"], l.Values["peak_MiB"] = m.PSS, m.Peak
	return l
}

// memoryIdleRow lets both clusters idle side by side for a while.
func memoryIdleRow(ctx context.Context, b *Bench) (lines []Line, err error) {
	err = b.withCluster(ctx, cluster.Config{Workers: 1, Homes: []spark.Release{b.Release}}, func(c *cluster.Cluster) error {
		measure := func() (err error) { lines, err = oursIdle(c); return err }
		if !b.Original {
			if err := sleep(ctx, b.Settle); err != nil {
				return err
			}
			return measure()
		}
		return b.withOriginal(ctx, original.Config{Workers: 1}, func(o *original.Cluster) error {
			b.Say("    all idle for %v", b.Settle)
			if err := sleep(ctx, b.Settle); err != nil {
				return err
			}
			if err := measure(); err != nil {
				return err
			}
			beside, err := b.originalIdle(o)
			lines = append(lines, beside...)
			return err
		})
	})
	return lines, err
}

func oursIdle(c *cluster.Cluster) ([]Line, error) {
	var masters []*proc.Process
	for _, m := range c.Masters {
		masters = append(masters, m.Process())
	}
	master, err := largest(masters)
	if err != nil {
		return nil, err
	}
	worker, err := memoryOf(c.Workers[0].Process())
	return []Line{
		memoryLine("Firesteel, idle master, the largest of three", master, idleMasterMiB, len(masters)),
		memoryLine("Firesteel, idle worker", worker, idleWorkerMiB, 1),
	}, err
}

func (b *Bench) originalIdle(o *original.Cluster) ([]Line, error) {
	master, err1 := memoryOf(o.Master.Process())
	worker, err2 := memoryOf(o.Workers[0].Process())
	return []Line{
		memoryLine(b.Release.String()+", idle Master", master, 0, 1),
		memoryLine(b.Release.String()+", idle Worker", worker, 0, 1),
	}, errors.Join(err1, err2)
}

// memoryLoadedRow looks at masters that have 1,000 workers and 10,000 executors. The workers are simulated ones: each has a
// connection to every master, as a JVM worker has, which costs a master more than a Go worker does.
func memoryLoadedRow(ctx context.Context, b *Bench) (lines []Line, err error) {
	err = b.withCluster(ctx, cluster.Config{}, func(c *cluster.Cluster) error {
		var masters []string
		for _, m := range c.Masters {
			masters = append(masters, m.Spark())
		}
		return b.withLoad(ctx, masters, "2.13", c.Books, func() (err error) {
			lines, err = oursLoaded(ctx, c)
			return err
		})
	})
	if !b.Original {
		return lines, err
	}
	err2 := b.withOriginal(ctx, original.Config{}, func(o *original.Cluster) error {
		read := func(ctx context.Context) (books.Books, error) { return books.Read(ctx, o.Web()) }
		return b.withLoad(ctx, []string{o.Master.Spark()}, b.scala(), read, func() error {
			m, err := memoryOf(o.Master.Process())
			lines = append(lines, memoryLine(loadedSubject(b.Release.String()+" (512 MiB of heap)"), m, 0, 1))
			return err
		})
	})
	return lines, errors.Join(err, err2)
}

func oursLoaded(ctx context.Context, c *cluster.Cluster) ([]Line, error) {
	leader, err := c.WaitLeader(ctx, 0)
	if err != nil {
		return nil, err
	}
	lead, err := memoryOf(leader.Master.Process())
	if err != nil {
		return nil, err
	}
	most, err := largest(c.Processes())
	return []Line{
		memoryLine(loadedSubject("Firesteel, leader"), lead, loadedMasterMiB, 1),
		memoryLine(loadedSubject("Firesteel, the largest of three masters"), most, loadedMasterMiB, len(c.Masters)),
	}, err
}

func loadedSubject(who string) string {
	return fmt.Sprintf("%s, %d workers and %d executors", who, loadedWorkers, loadedApps*executorsOfEach)
}

// withLoad puts the workers and applications there, waits until the books show all, lets it settle and measures.
func (b *Bench) withLoad(ctx context.Context, masters []string, scala string, read func(context.Context) (books.Books, error), measure func() error) error {
	crowd, err := load.Start(ctx, load.Config{Masters: masters, Scala: scala, Workers: loadedWorkers})
	if err != nil {
		return err
	}
	defer crowd.Close()
	if err := crowd.Hold(ctx, loadedApps, executorsOfEach); err != nil {
		return err
	}
	full := func(ctx context.Context) error { return isLoaded(ctx, read) }
	limit, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	if err := books.Poll(limit, "the executors to be there", full); err != nil {
		return err
	}
	b.Say("    loaded; idle for %v", b.Settle)
	if err := sleep(ctx, b.Settle); err != nil {
		return err
	}
	if err := full(ctx); err != nil {
		return fmt.Errorf("the load did not stay: %w", err)
	}
	return measure()
}

// isLoaded compares with the cores in use, as every executor here has one.
func isLoaded(ctx context.Context, read func(context.Context) (books.Books, error)) error {
	b, err := read(ctx)
	if err != nil {
		return err
	}
	if b.CoresUsed != loadedApps*executorsOfEach || b.AliveWorkers != loadedWorkers {
		return fmt.Errorf("%d alive workers and %d executors", b.AliveWorkers, b.CoresUsed)
	}
	return nil
}
