package diskfault

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

func TestMain(m *testing.M) {
	ServeIfAsked()
	os.Exit(m.Run())
}

func mountDisk(t *testing.T) *Disk {
	t.Helper()
	dir := t.TempDir()
	d, err := Mount(Config{Backing: filepath.Join(dir, "backing"), Point: filepath.Join(dir, "disk")})
	if errors.Is(err, ErrUnavailable) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

func (d *Disk) at(name string) string { return filepath.Join(d.Point, name) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, text string, sync bool) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	must(t, err)
	_, err = f.WriteString(text)
	must(t, err)
	if sync {
		must(t, f.Sync())
	}
	must(t, f.Close())
}

func syncDir(t *testing.T, path string) {
	t.Helper()
	f, err := os.Open(path)
	must(t, err)
	must(t, f.Sync())
	must(t, f.Close())
}

func holds(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || string(got) != want {
		t.Errorf("%s holds %q, %v; want %q", path, got, err, want)
	}
}

func TestPassesThrough(t *testing.T) {
	t.Parallel()
	d := mountDisk(t)
	must(t, os.Mkdir(d.at("dir"), 0o700))
	write(t, d.at("dir/a"), "hello", false)
	must(t, os.Rename(d.at("dir/a"), d.at("b")))
	must(t, os.Truncate(d.at("b"), 4))
	holds(t, d.at("b"), "hell")
	holds(t, filepath.Join(d.Backing, "b"), "hell")
	must(t, os.Remove(d.at("dir")))
	entries, err := os.ReadDir(d.Point)
	if err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}
}

func TestPowerLoss(t *testing.T) {
	t.Parallel()
	d := mountDisk(t)
	write(t, d.at("kept"), "synced", true)
	write(t, d.at("gone"), "never synced", false)
	write(t, d.at("removed"), "comes back", true)
	write(t, d.at("moved"), "moves back", true)
	syncDir(t, d.Point)
	f, err := os.OpenFile(d.at("kept"), os.O_RDWR, 0)
	must(t, err)
	_, err = f.WriteAt([]byte("SYNCED and longer"), 0)
	must(t, err)
	must(t, f.Close())
	write(t, d.at("gone"), "never synced", false)
	must(t, os.Remove(d.at("removed")))
	must(t, os.Rename(d.at("moved"), d.at("elsewhere")))
	write(t, d.at("new"), "new", true) // a synced file is there, though its directory was not synced
	holds(t, d.at("kept"), "SYNCED and longer")
	lost, err := d.PowerLoss(0)
	if err != nil || lost == 0 {
		t.Fatalf("lost %d, %v", lost, err)
	}
	holds(t, d.at("kept"), "synced")
	holds(t, d.at("removed"), "comes back")
	holds(t, d.at("moved"), "moves back")
	holds(t, d.at("new"), "new")
	if _, err := os.Stat(d.at("elsewhere")); !os.IsNotExist(err) {
		t.Errorf("the new name is still there: %v", err)
	}
	// gone was made before the directory was synced, so it is there, and empty.
	holds(t, d.at("gone"), "")
	if lost, err := d.PowerLoss(0); err != nil || lost != 0 {
		t.Errorf("a second loss took %d, %v", lost, err)
	}
}

// With a seed every sector that was not synced is the old or the new one, and both occur.
func TestPowerLossTearsWrites(t *testing.T) {
	t.Parallel()
	d := mountDisk(t)
	const sectors = 64
	write(t, d.at("f"), string(bytes.Repeat([]byte{'a'}, sectors*sector)), true)
	f, err := os.OpenFile(d.at("f"), os.O_RDWR, 0)
	must(t, err)
	_, err = f.WriteAt(bytes.Repeat([]byte{'b'}, sectors*sector), 0)
	must(t, err)
	must(t, f.Close())
	_, err = d.PowerLoss(7)
	must(t, err)
	data, err := os.ReadFile(d.at("f"))
	must(t, err)
	kinds := map[string]int{}
	for s := range slices.Chunk(data, sector) {
		kinds[string(bytes.Trim(s, "\x00"))[:1]]++
		if !bytes.Equal(s, bytes.Repeat(s[:1], sector)) {
			t.Fatal("half a sector was kept")
		}
	}
	if kinds["a"] == 0 || kinds["b"] == 0 || kinds["a"]+kinds["b"] != sectors {
		t.Errorf("sectors kept: %v", kinds)
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	d := mountDisk(t)
	write(t, d.at("f"), "before", true)
	for _, c := range []struct {
		faults Faults
		want   syscall.Errno
	}{{Faults{Err: syscall.EIO}, syscall.EIO}, {Faults{Full: true}, syscall.ENOSPC}} {
		must(t, d.Set(c.faults))
		f, err := os.OpenFile(d.at("f"), os.O_RDWR, 0)
		must(t, err)
		if _, err := f.WriteAt([]byte("x"), 0); !errors.Is(err, c.want) {
			t.Errorf("%v: write: %v", c.want, err)
		}
		if err := f.Sync(); c.want == syscall.EIO && !errors.Is(err, c.want) || c.want != syscall.EIO && err != nil {
			t.Errorf("%v: sync: %v", c.want, err)
		}
		must(t, f.Close())
		holds(t, d.at("f"), "before")
		var st syscall.Statfs_t
		must(t, syscall.Statfs(d.Point, &st))
		if (st.Bavail == 0) != c.faults.Full {
			t.Errorf("%v: %d blocks are free", c.want, st.Bavail)
		}
	}
	must(t, d.Clear())
	write(t, d.at("f"), "after", true)
	holds(t, d.at("f"), "after")
}

func TestHangAndRelease(t *testing.T) {
	t.Parallel()
	for _, hang := range []Hang{HangSyncs, HangWrites} {
		t.Run(string(hang), func(t *testing.T) {
			t.Parallel()
			d := mountDisk(t)
			write(t, d.at("f"), "before", true)
			write(t, d.at("other"), "other", true)
			f, err := os.OpenFile(d.at("f"), os.O_RDWR, 0)
			must(t, err)
			must(t, d.Set(Faults{Hang: hang}))
			done := make(chan error, 1)
			go func() {
				_, err := f.WriteAt([]byte("BEFORE"), 0)
				done <- errors.Join(err, f.Sync())
			}()
			must(t, d.WaitHeld())
			holds(t, d.at("other"), "other") // reads go on
			if hang == HangSyncs {
				holds(t, d.at("f"), "BEFORE")
			}
			select {
			case err := <-done:
				t.Fatalf("it did not hang: %v", err)
			default:
			}
			must(t, d.Clear())
			must(t, <-done)
			must(t, f.Close())
			holds(t, d.at("f"), "BEFORE")
		})
	}
}

// A process that hangs on its own disk cannot even be killed, until the serving process sees that it should be.
func TestTheKilledAreReleased(t *testing.T) {
	t.Parallel()
	if os.Getenv("DISKFAULT_HANG") != "" {
		d, err := Mount(Config{Backing: os.Getenv("DISKFAULT_HANG") + "/backing", Point: os.Getenv("DISKFAULT_HANG") + "/disk"})
		must(t, err)
		must(t, d.Set(Faults{Hang: HangAll}))
		go func() { _ = os.Mkdir(d.at("dir"), 0o700) }()
		must(t, d.WaitHeld())
		fmt.Println("hanging")
		select {}
	}
	if err := Available(); err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run", "^TestTheKilledAreReleased$")
	cmd.Env = append(os.Environ(), "DISKFAULT_HANG="+dir)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "hanging\n" {
		t.Fatalf("%q, %v", line, err)
	}
	must(t, cmd.Process.Kill())
	_ = cmd.Wait() // killed
	for mounted := true; mounted; {
		table, err := os.ReadFile("/proc/self/mounts")
		must(t, err)
		mounted = bytes.Contains(table, []byte(dir))
	}
}

// Whoever hangs on a disk whose end comes goes on.
func TestCloseReleases(t *testing.T) {
	t.Parallel()
	d := mountDisk(t)
	must(t, d.Set(Faults{Hang: HangAll}))
	done := make(chan error, 1)
	go func() { done <- os.Mkdir(d.at("dir"), 0o700) }()
	must(t, d.WaitHeld())
	began := time.Now()
	d.Close()
	<-done
	t.Logf("released and unmounted in %v", time.Since(began))
	if entries, err := os.ReadDir(d.Point); err != nil || len(entries) != 0 {
		t.Errorf("still mounted: %v, %v", entries, err)
	}
}

// bbolt writes by pwrite and reads by mmap: both must see the same bytes, also when the file grows, and after a loss.
func TestMappedReadsSeeWrites(t *testing.T) {
	t.Parallel()
	d := mountDisk(t)
	open := func() *bbolt.DB {
		db, err := bbolt.Open(d.at("db"), 0o600, &bbolt.Options{Timeout: time.Second, NoFreelistSync: true, FreelistType: bbolt.FreelistMapType})
		must(t, err)
		return db
	}
	bucket, n := []byte("b"), 0
	put := func(db *bbolt.DB) error {
		n++
		return db.Update(func(tx *bbolt.Tx) error {
			b, err := tx.CreateBucketIfNotExists(bucket)
			if err != nil {
				return err
			}
			return b.Put(fmt.Appendf(nil, "%04d", n), bytes.Repeat(fmt.Appendf(nil, "%04d", n), 5000))
		})
	}
	check := func(db *bbolt.DB, want int) {
		t.Helper()
		must(t, db.View(func(tx *bbolt.Tx) error {
			for err := range tx.Check() {
				t.Error(err)
			}
			for i := 1; i <= want; i++ {
				if v := tx.Bucket(bucket).Get(fmt.Appendf(nil, "%04d", i)); !bytes.Equal(v, bytes.Repeat(fmt.Appendf(nil, "%04d", i), 5000)) {
					t.Fatalf("value %d of %d has %d bytes", i, want, len(v))
				}
			}
			return nil
		}))
	}
	db := open()
	for range 60 { // some megabytes
		must(t, put(db))
	}
	check(db, n)
	for seed := range uint64(4) {
		// A commit that fails at its sync leaves writes that were not synced.
		must(t, d.Set(Faults{}))
		must(t, put(db))
		must(t, db.Close())
		if _, err := d.PowerLoss(seed); err != nil {
			t.Fatal(err)
		}
		db = open()
		check(db, n)
	}
	must(t, db.Close())
}
