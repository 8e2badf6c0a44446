package workdir

import (
	"bufio"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

const helperVariable = "FIRESTEEL_WORKDIR_TEST_LIFE"

// TestMain lets the test binary be another worker of a work directory, which is killed.
func TestMain(m *testing.M) {
	if work := os.Getenv(helperVariable); work != "" {
		l, err := Open(work, "other", slog.New(slog.DiscardHandler))
		if err == nil {
			_, err = l.Claim(Application, "app-other")
		}
		if err == nil {
			_, err = l.Claim(Application, "app-shared")
		}
		if err == nil {
			err = l.AddScratch(filepath.Join(work, "..", "scratch-of-other"))
		}
		fmt.Println(l.Name(), err)
		select {}
	}
	os.Exit(m.Run())
}

func open(t *testing.T, work string) *Life {
	t.Helper()
	l, err := Open(work, "worker-1", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// other starts another worker of the directory, and gives a function that kills it.
func other(t *testing.T, work string) (name string, kill func()) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), helperVariable+"="+work)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = sync.OnceFunc(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	t.Cleanup(kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	var fault string
	if _, err := fmt.Sscan(line, &name, &fault); err != nil || fault != "<nil>" {
		t.Fatalf("the other worker says %q", line)
	}
	return name, kill
}

func take(t *testing.T, l *Life, name string) string {
	t.Helper()
	dir, err := l.Claim(Application, name)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func ended(t *testing.T, l *Life) []string {
	t.Helper()
	all, err := l.Ended()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range all {
		names = append(names, e.Name)
	}
	return names
}

func expect(t *testing.T, l *Life, want ...string) {
	t.Helper()
	if got := ended(t, l); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("ended: %v, want %v", got, want)
	}
}

func end(t *testing.T, l *Life, name string, at time.Time) {
	t.Helper()
	if err := l.End(name, at); err != nil {
		t.Fatal(err)
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func TestOnlyWhatWeMadeAndNobodyUses(t *testing.T) {
	t.Parallel()
	work := t.TempDir()
	foreign := filepath.Join(work, "app-20261121000000-0001")
	if err := os.Mkdir(foreign, 0o755); err != nil {
		t.Fatal(err)
	}
	l := open(t, work)
	take(t, l, filepath.Base(foreign)) // used, but not ours
	take(t, l, "app-b")
	take(t, l, "app-a")
	expect(t, l)
	now := time.Now()
	end(t, l, "app-b", now)
	end(t, l, "app-a", now.Add(time.Second))
	end(t, l, filepath.Base(foreign), now)
	expect(t, l, "app-b", "app-a")
	take(t, l, "app-b") // again
	expect(t, l, "app-a")
	if err := l.Remove(Entry{Name: "app-b", Dir: filepath.Join(work, "app-b")}); !errors.Is(err, ErrUsed) || !exists(filepath.Join(work, "app-b")) {
		t.Errorf("a used directory: %v", err)
	}
	if err := l.Remove(Entry{Name: filepath.Base(foreign), Dir: foreign}); !errors.Is(err, ErrUsed) || !exists(foreign) {
		t.Errorf("a foreign directory: %v", err)
	}
	all, _ := l.Ended()
	if err := l.Remove(all[0]); err != nil || exists(filepath.Join(work, "app-a")) {
		t.Errorf("remove: %v", err)
	}
	expect(t, l)
}

func TestWhatWasMadeInOurPlaceIsNotOurs(t *testing.T) {
	t.Parallel()
	work := t.TempDir()
	l := open(t, work)
	dir := take(t, l, "app-1")
	end(t, l, "app-1", time.Now())
	if err := os.Rename(dir, dir+".moved"); err != nil { // keeps the inode from being given to the next one
		t.Fatal(err)
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	expect(t, l)
	if exists(l.path("dirs", "app-1")) {
		t.Error("the record of a directory that is gone stays")
	}
	take(t, l, "app-1")
	end(t, l, "app-1", time.Now())
	expect(t, l)
}

func TestRecordsSurviveTheWorker(t *testing.T) {
	t.Parallel()
	work := t.TempDir()
	first := open(t, work)
	take(t, first, "app-1")
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := open(t, work)
	expect(t, second, "app-1")
	if dead, err := second.Dead(); len(dead) != 0 || err != nil {
		t.Errorf("a life that was closed is no dead one: %v, %v", dead, err)
	}
}

func TestAnotherLiveWorkerIsRespected(t *testing.T) {
	t.Parallel()
	work := t.TempDir()
	name, kill := other(t, work)
	l := open(t, work)
	take(t, l, "app-shared")
	end(t, l, "app-shared", time.Now())
	expect(t, l)
	if dead, err := l.Dead(); len(dead) != 0 || err != nil {
		t.Errorf("dead: %v, %v", dead, err)
	}
	kill()
	expect(t, l) // it is dead, but its processes may not be
	dead, err := l.Dead()
	if err != nil || len(dead) != 1 {
		t.Fatalf("dead: %v, %v", dead, err)
	}
	d := dead[0]
	if d.Name != name || !d.Here || d.Worker != "other" || len(d.Scratch) != 1 || d.PID == 0 {
		t.Errorf("got %+v", d)
	}
	if again, err := l.Dead(); len(again) != 0 || err != nil {
		t.Errorf("it is cleared up by one at a time: %v, %v", again, err)
	}
	if err := d.Forget(); err != nil {
		t.Fatal(err)
	}
	all, err := l.Ended()
	if err != nil || len(all) != 2 || all[0].Name != "app-other" || time.Since(all[0].Ended) > time.Hour {
		t.Errorf("ended: %+v, %v", all, err)
	}
	if again, _ := l.Dead(); len(again) != 0 {
		t.Errorf("forgotten, and still there: %v", again)
	}
}

func TestStrip(t *testing.T) {
	t.Parallel()
	work := t.TempDir()
	l := open(t, work)
	dir := take(t, l, "app-1")
	exec := filepath.Join(dir, "0")
	if err := os.MkdirAll(filepath.Join(exec, "env"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a.jar", "stderr", "env/x.py"} {
		if err := os.WriteFile(filepath.Join(exec, name), []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	old := time.Now().Add(-time.Hour).Truncate(time.Second)
	if err := os.Chtimes(exec, old, old); err != nil {
		t.Fatal(err)
	}
	paths := []string{filepath.Join(exec, "a.jar"), filepath.Join(exec, "env"), filepath.Join(exec, "gone")}
	if err := l.Strip(Entry{Name: "app-1", Dir: dir}, paths, true); !errors.Is(err, ErrUsed) || !exists(paths[0]) {
		t.Errorf("while it is used: %v", err)
	}
	alive := func(string) bool { return false }
	now := time.Now()
	if pending, err := l.EndUnless(alive, now, now.Add(-time.Second)); pending || err != nil {
		t.Errorf("not due: %v, %v", pending, err)
	}
	if pending, err := l.EndUnless(alive, now, now); !pending || err != nil {
		t.Errorf("due: %v, %v", pending, err)
	}
	all, _ := l.Ended()
	if err := l.Strip(all[0], paths, true); err != nil || exists(paths[0]) || exists(paths[1]) || !exists(filepath.Join(exec, "stderr")) {
		t.Errorf("strip: %v", err)
	}
	if info, err := os.Stat(exec); err != nil || !info.ModTime().Equal(old) {
		t.Errorf("the directory's time: %v, %v", info.ModTime(), err)
	}
	if all, _ := l.Ended(); len(all) != 1 || !all[0].Stripped {
		t.Errorf("got %+v", all)
	}
	if pending, _ := l.EndUnless(alive, now, now); pending {
		t.Error("it is stripped")
	}
	take(t, l, "app-1")
	end(t, l, "app-1", now)
	if all, _ := l.Ended(); len(all) != 1 || all[0].Stripped {
		t.Errorf("used again: %+v", all)
	}
	if left, err := os.ReadDir(l.path("trash")); len(left) != 0 || err != nil {
		t.Errorf("trash: %v, %v", left, err)
	}
}

func TestClaimWhileAnotherRemoves(t *testing.T) {
	t.Parallel()
	work := t.TempDir()
	l := open(t, work)
	for i := range 200 {
		name := fmt.Sprintf("app-%d", i)
		dir := take(t, l, name)
		end(t, l, name, time.Now())
		done := make(chan error, 1)
		go func() { done <- l.Remove(Entry{Name: name, Dir: dir}) }()
		take(t, l, name)
		if err := os.Mkdir(filepath.Join(dir, "0"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil && !errors.Is(err, ErrUsed) {
			t.Fatal(err)
		}
		if !exists(filepath.Join(dir, "0")) {
			t.Fatal("what was taken into use is gone")
		}
	}
}

func TestClaimRefusals(t *testing.T) {
	t.Parallel()
	work := t.TempDir()
	l := open(t, work)
	if err := os.WriteFile(filepath.Join(work, "file"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Claim(Driver, "file"); err == nil {
		t.Error("a file is no directory")
	}
	if _, err := Open(filepath.Join(work, "file"), "w", nil); err == nil {
		t.Error("a file is no work directory")
	}
}

func TestClaimAfterTheWorkDirectoryWasWiped(t *testing.T) {
	t.Parallel()
	work := filepath.Join(t.TempDir(), "work")
	if err := os.Mkdir(work, 0o755); err != nil {
		t.Fatal(err)
	}
	l := open(t, work)
	if err := os.RemoveAll(work); err != nil {
		t.Fatal(err)
	}
	if dir := take(t, l, "app-1"); !exists(dir) {
		t.Error("an executor could not be started")
	}
}

func TestDamagedRecords(t *testing.T) {
	t.Parallel()
	work := t.TempDir()
	l := open(t, work)
	take(t, l, "app-1")
	end(t, l, "app-1", time.Now())
	if err := os.WriteFile(l.path("dirs", "app-1", "made"), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	expect(t, l) // without proof it is not ours
	if err := os.MkdirAll(l.path("lives", "damaged"), 0o755); err != nil {
		t.Fatal(err)
	}
	lock := l.path("lives", "damaged", "lock")
	if err := os.WriteFile(lock, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if dead, err := l.Dead(); len(dead) != 0 || err != nil {
		t.Errorf("it may live on another machine: %v, %v", dead, err)
	}
	long := time.Now().Add(-time.Hour)
	if err := os.Chtimes(lock, long, long); err != nil {
		t.Fatal(err)
	}
	dead, err := l.Dead()
	if err != nil || len(dead) != 1 || dead[0].Here {
		t.Errorf("got %v, %v", dead, err)
	}
	for _, d := range dead {
		if err := d.Forget(); err != nil {
			t.Error(err)
		}
	}
}
