package diskfault

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// ErrUnavailable says that this process may not mount, or that this kernel has no FUSE.
var ErrUnavailable = errors.New("file systems with faults are not available")

// Available tells whether Mount can work, and if not, why.
func Available() error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("%w: only root may mount", ErrUnavailable)
	}
	f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return f.Close()
}

// Config says what to mount.
type Config struct {
	Backing string // the directory that keeps the files; made if missing. Backing + ".trash" is used as well.
	Point   string // where it is mounted; made if missing
}

// Disk is a mounted disk. Its methods may be called from any goroutine; one request is served at a time.
type Disk struct {
	Config
	cmd *exec.Cmd
	in  io.WriteCloser

	mu   sync.Mutex
	enc  *json.Encoder
	dec  *json.Decoder
	done chan struct{}
	end  sync.Once
}

// Mount mounts a disk without faults.
func Mount(cfg Config) (*Disk, error) {
	if err := Available(); err != nil {
		return nil, err
	}
	for _, dir := range []string{cfg.Backing, cfg.Point} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, fmt.Errorf("mount a disk: %w", err)
		}
	}
	d, err := start(cfg)
	if err != nil {
		return nil, fmt.Errorf("mount a disk: %w", err)
	}
	var a answer
	if err := d.dec.Decode(&a); err != nil {
		d.Close()
		return nil, fmt.Errorf("mount a disk at %s: its process says nothing (does main call ServeIfAsked?): %w", cfg.Point, err)
	}
	if a.Err != "" {
		d.Close()
		return nil, fmt.Errorf("%w: mount at %s: %s", ErrUnavailable, cfg.Point, a.Err)
	}
	return d, nil
}

func start(cfg Config) (*Disk, error) {
	asked, err := json.Marshal(cfg)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	d := &Disk{Config: cfg, cmd: exec.Command(self), done: make(chan struct{})}
	d.cmd.Env = append(os.Environ(), serveVariable+"="+string(asked))
	d.cmd.Stderr = os.Stderr
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if d.in, err = d.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := d.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	d.enc, d.dec = json.NewEncoder(d.in), json.NewDecoder(out)
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	return d, nil
}

// Set has the disk behave so from now on. What hangs and should no more goes on.
func (d *Disk) Set(f Faults) error {
	_, err := d.ask(request{Set: &f})
	return err
}

// Clear ends all faults.
func (d *Disk) Clear() error { return d.Set(Faults{}) }

// WaitHeld returns when at least one operation hangs; it fails after a minute without one.
func (d *Disk) WaitHeld() error {
	_, err := d.ask(request{WaitHeld: true})
	return err
}

// PowerLoss undoes what was not synced, and tells how many changes that were; see the package's comment for the seed. No
// process may have a file open: kill them first.
func (d *Disk) PowerLoss(seed uint64) (lost int, err error) {
	a, err := d.ask(request{PowerLoss: &seed})
	return a.Lost, err
}

func (d *Disk) ask(r request) (answer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var a answer
	if err := d.enc.Encode(r); err != nil {
		return a, fmt.Errorf("disk at %s: %w", d.Point, err)
	}
	if err := d.dec.Decode(&a); err != nil {
		return a, fmt.Errorf("disk at %s: its process has ended: %w", d.Point, err)
	}
	if a.Err != "" {
		return a, fmt.Errorf("disk at %s: %s", d.Point, a.Err)
	}
	return a, nil
}

// closeLimit bounds an orderly end of the serving process.
const closeLimit = 5 * time.Second

// Close ends all faults and unmounts. It always succeeds in time: a serving process that does not end is killed, which
// has the kernel fail what hangs. The files stay in Backing.
func (d *Disk) Close() {
	d.end.Do(func() {
		_ = d.in.Close()
		go func() { _ = d.cmd.Wait(); close(d.done) }()
		select {
		case <-d.done:
		case <-time.After(closeLimit):
			_ = d.cmd.Process.Kill()
			<-d.done
			_ = syscall.Unmount(d.Point, syscall.MNT_DETACH)
		}
	})
}
