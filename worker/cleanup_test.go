package worker

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firesteel/firesteel/config"
	"github.com/firesteel/firesteel/worker/workdir"
)

// cleaning is a cleaner in virtual time on real files.
type cleaning struct {
	*cleaner
	t *testing.T

	mu     sync.Mutex
	living map[string]bool
	full   func() float64 // the used share of the disk
	clears int
}

func newCleaning(t *testing.T, change func(*config.Cleanup)) *cleaning {
	t.Helper()
	work := t.TempDir()
	life, err := workdir.Open(work, "worker-1", quiet())
	if err != nil {
		t.Fatal(err)
	}
	c := &cleaning{t: t, living: map[string]bool{}, full: func() float64 { return 0.5 }}
	c.cleaner = &cleaner{
		life: life, dir: work, log: quiet(), alive: c.isAlive, used: c.usedShare,
		clearDead: func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.clears++
		},
		settings: config.Cleanup{
			Enabled: true, Interval: 30 * time.Minute, AppDataTTL: 7 * 24 * time.Hour, Grace: 10 * time.Minute, DiskHigh: 0.9, DiskLow: 0.8,
		},
	}
	if change != nil {
		change(&c.settings)
	}
	return c
}

// start runs the cleaner until the test ends.
func (c *cleaning) start() {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); c.run(ctx) }()
	c.t.Cleanup(func() {
		stop()
		<-done
		if err := c.life.Close(); err != nil {
			c.t.Error(err)
		}
	})
}

func (c *cleaning) usedShare(string) (float64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.full(), nil
}

// fill says from now on how full the disk is.
func (c *cleaning) fill(full func() float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.full = full
}

func (c *cleaning) isAlive(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.living[name]
}

// make makes an application's or driver's directory with files, all of the present (virtual) time, and lets it live.
func (c *cleaning) make(kind workdir.Kind, name string, files ...string) {
	c.t.Helper()
	dir, err := c.life.Claim(kind, name)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, f := range files {
		path := filepath.Join(dir, f)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			c.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("x"), 0o644); err != nil {
			c.t.Fatal(err)
		}
	}
	touchAll(c.t, dir, time.Now())
	c.live(name, true)
}

func touchAll(t *testing.T, dir string, at time.Time) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err == nil {
			err = os.Chtimes(path, at, at)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (c *cleaning) live(name string, yes bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.living[name] = yes
}

// has checks what of the files is there.
func (c *cleaning) has(when string, want map[string]bool) {
	c.t.Helper()
	for path, there := range want {
		if _, err := os.Stat(filepath.Join(c.dir, path)); (err == nil) != there {
			c.t.Errorf("%s: %s: %v, want it there: %v", when, path, err, there)
		}
	}
}

func pass(d time.Duration) {
	time.Sleep(d) // virtual
	synctest.Wait()
}

func TestCleanupGoesByAgeAndProgramsFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCleaning(t, nil)
		foreign := filepath.Join(c.dir, "app-foreign", "0", "a.jar")
		writeFiles(t, foreign)
		touchAll(t, filepath.Join(c.dir, "app-foreign"), time.Now())
		c.start()
		c.make(workdir.Application, "app-1", "0/a.jar", "0/env/bin/x.py", "0/data.bin", "0/out/part-0", "0/stderr", "0/stdout--2026-01-01", "0/hs_err_pid7.log", "1/b.PY")
		c.make(workdir.Application, "app-2", "0/a.jar", "0/stderr")
		c.make(workdir.Driver, "driver-1", "job.jar", "stderr", "resource-executor-1.json")
		pass(20 * time.Minute)
		c.has("while all live", map[string]bool{"app-1/0/a.jar": true, "driver-1/job.jar": true})
		c.live("app-1", false)
		c.live("driver-1", false)
		pass(8 * time.Minute)
		c.has("within the grace", map[string]bool{"app-1/0/a.jar": true, "driver-1/job.jar": true})
		pass(5 * time.Minute)
		logs := map[string]bool{
			"app-1/0/a.jar": false, "app-1/0/env": false, "app-1/1/b.PY": false, "app-1/0/data.bin": true, "app-1/0/out/part-0": true, "app-1/0/stderr": true,
			"app-1/0/stdout--2026-01-01": true, "app-1/0/hs_err_pid7.log": true, "driver-1/job.jar": false, "driver-1/resource-executor-1.json": false,
			"driver-1/stderr": true, "app-2/0/a.jar": true,
		}
		c.has("after the grace", logs)
		pass(6 * 24 * time.Hour)
		c.has("before they are old", logs)
		pass(26 * time.Hour)
		c.has("when they are old", map[string]bool{"app-1": false, "driver-1": false, "app-2/0/a.jar": true, "app-foreign/0/a.jar": true})
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.clears < 100 {
			t.Errorf("dead lives were looked for %d times in a week", c.clears)
		}
	})
}

func writeFiles(t *testing.T, paths ...string) {
	t.Helper()
	for _, p := range paths {
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCleanupOfAnApplicationThatComesBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCleaning(t, nil)
		c.start()
		c.make(workdir.Application, "app-1", "0/a.jar")
		c.live("app-1", false)
		pass(9 * time.Minute)
		c.make(workdir.Application, "app-1", "1/a.jar")
		pass(30 * 24 * time.Hour)
		c.has("alive again", map[string]bool{"app-1/0/a.jar": true, "app-1/1/a.jar": true})
	})
}

// Files that Spark's rule calls new keep a directory, whenever its application ended.
func TestCleanupCountsTheNewestFile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCleaning(t, func(s *config.Cleanup) { s.AppDataTTL = time.Hour })
		c.start()
		c.make(workdir.Application, "app-1", "0/stderr", "0/deep/er/file")
		c.live("app-1", false)
		pass(50 * time.Minute)
		now := time.Now()
		if err := os.Chtimes(filepath.Join(c.dir, "app-1/0/deep/er/file"), now, now); err != nil {
			t.Fatal(err)
		}
		pass(45 * time.Minute)
		c.has("one file is new", map[string]bool{"app-1/0/stderr": true})
		pass(time.Hour)
		c.has("none is", map[string]bool{"app-1": false})
	})
}

func TestCleanupByWatermark(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCleaning(t, func(s *config.Cleanup) { s.DiskLow = 0.905 })
		c.start()
		ours := []string{"app-old", "app-mid", "app-new"}
		for _, name := range ours {
			c.make(workdir.Application, name, "0/data.bin", "0/stderr")
			c.live(name, false)
			pass(15 * time.Minute)
		}
		c.make(workdir.Application, "app-just-ended", "0/data.bin", "0/stderr")
		c.make(workdir.Application, "app-alive", "0/data.bin", "0/stderr")
		count := func() int {
			n := 0
			for _, name := range append(slices.Clone(ours), "app-just-ended", "app-alive") {
				files, _ := filepath.Glob(filepath.Join(c.dir, name, "*", "*"))
				n += len(files)
			}
			return n
		}
		c.full = func() float64 { return 0.83 + 0.01*float64(count()) } // 10 files: 0.93
		c.settings.DiskLow = 0.905                                      // reached with 7 files
		c.live("app-just-ended", false)
		pass(time.Minute)
		c.has("all but logs first", map[string]bool{
			"app-old/0/data.bin": false, "app-mid/0/data.bin": false, "app-new/0/data.bin": false, "app-old/0/stderr": true, "app-mid/0/stderr": true,
			"app-new/0/stderr": true, "app-just-ended/0/data.bin": true, "app-alive/0/data.bin": true,
		})
		c.fill(func() float64 { return 0.86 + 0.01*float64(count()) }) // 0.93 again
		pass(time.Minute)
		c.has("then logs, oldest end first", map[string]bool{
			"app-old": false, "app-mid": false, "app-new": false, "app-just-ended/0/data.bin": true, "app-alive/0/stderr": true,
		})
	})
}

func TestCleanupStopsAtTheLowWatermark(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCleaning(t, nil)
		c.start()
		for _, name := range []string{"app-old", "app-new"} {
			c.make(workdir.Application, name, "0/data.bin", "0/stderr")
			c.live(name, false)
			pass(15 * time.Minute)
		}
		c.fill(func() float64 {
			if _, err := os.Stat(filepath.Join(c.dir, "app-old/0/data.bin")); err == nil {
				return 0.95
			}
			return 0.79
		})
		pass(time.Hour)
		c.has("enough is freed", map[string]bool{"app-old/0/stderr": true, "app-new/0/data.bin": true})
	})
}

func TestCleanupAfterARestart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCleaning(t, nil)
		c.make(workdir.Application, "app-1", "0/a.jar", "0/stderr")
		if err := c.life.Close(); err != nil {
			t.Fatal(err)
		}
		touchAll(t, c.dir, time.Now())
		var err error
		if c.life, err = workdir.Open(c.dir, "worker-1", quiet()); err != nil {
			t.Fatal(err)
		}
		c.start()
		pass(45 * time.Minute)
		c.has("made by an earlier life", map[string]bool{"app-1/0/a.jar": false, "app-1/0/stderr": true})
		pass(8 * 24 * time.Hour)
		c.has("and old", map[string]bool{"app-1": false})
	})
}

func TestDiskUsed(t *testing.T) {
	t.Parallel()
	if used, err := diskUsed(t.TempDir()); err != nil || used < 0 || used > 1 {
		t.Errorf("%v, %v", used, err)
	}
	if _, err := diskUsed("/no/such/directory"); err == nil {
		t.Error("no error")
	}
}
