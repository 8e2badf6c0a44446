package netns

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/firesteel/firesteel/chaos/proc"
	"github.com/vishvananda/netlink"
)

func newNet(t *testing.T) *Net {
	t.Helper()
	n, err := New()
	if errors.Is(err, ErrUnavailable) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// talker is a host that answers on a port whatever it is sent, line by line.
type talker struct {
	*Host
	addr netip.AddrPort
}

func newTalker(t *testing.T, h *Host) talker {
	t.Helper()
	ln, err := h.Listen(0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				for r := bufio.NewReader(c); ; {
					line, err := r.ReadString('\n')
					if err != nil {
						return
					}
					fmt.Fprint(c, line)
				}
			}()
		}
	}()
	return talker{h, ln.Addr().(*net.TCPAddr).AddrPort()}
}

func host(t *testing.T, n *Net, name string) talker {
	t.Helper()
	h, err := n.Host(name)
	if err != nil {
		t.Fatal(err)
	}
	return newTalker(t, h)
}

// silence is how long a cut must keep silent to be believed; an answer takes less than a millisecond.
const silence = 100 * time.Millisecond

// line is an open connection, which a cut silences and a heal brings back.
type line struct {
	net.Conn
	from, to talker
}

func dial(t *testing.T, from, to talker) line {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	c, err := from.Dial(ctx, to.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return line{c, from, to}
}

func (l line) echo(t *testing.T, limit time.Duration) error {
	t.Helper()
	if err := l.SetDeadline(time.Now().Add(limit)); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintln(l, "hello"); err != nil {
		return err
	}
	got, err := bufio.NewReader(l).ReadString('\n')
	if err == nil && got != "hello\n" {
		t.Errorf("%v -> %v: got %q", l.from, l.to, got)
	}
	return err
}

func (l line) talks(t *testing.T) {
	t.Helper()
	if err := l.echo(t, 10*time.Second); err != nil {
		t.Errorf("%v -> %v: %v", l.from, l.to, err)
	}
}

func (l line) silent(t *testing.T) {
	t.Helper()
	if err := l.echo(t, silence); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%v -> %v is cut, and its end says: %v", l.from, l.to, err)
	}
}

func TestHostsReachEachOther(t *testing.T) {
	t.Parallel()
	n := newNet(t)
	all := []talker{host(t, n, "a"), host(t, n, "b"), newTalker(t, n.Outside())}
	for _, from := range all {
		if !n.Prefix().Contains(from.IP) {
			t.Errorf("%v has the address %v, outside of %v", from, from.IP, n.Prefix())
		}
		for _, to := range all {
			dial(t, from, to).talks(t)
		}
	}
	if again, err := n.Host("a"); err != nil || again != all[0].Host {
		t.Errorf("asked for again: %v, %v", again, err)
	}
}

func TestIsolateAndHeal(t *testing.T) {
	t.Parallel()
	n := newNet(t)
	a, b, c, out := host(t, n, "a"), host(t, n, "b"), host(t, n, "c"), newTalker(t, n.Outside())
	var cut, whole []line
	for _, l := range [][2]talker{{a, b}, {b, a}, {a, c}, {out, a}, {a, out}} {
		cut = append(cut, dial(t, l[0], l[1]))
	}
	for _, l := range [][2]talker{{b, c}, {c, b}, {out, b}, {b, out}, {a, a}} {
		whole = append(whole, dial(t, l[0], l[1]))
	}
	if err := n.Isolate(a.Host); err != nil {
		t.Fatal(err)
	}
	for _, l := range whole {
		l.talks(t)
	}
	for _, l := range cut {
		l.silent(t)
	}
	dropped, err := n.Heal()
	if err != nil || dropped < uint64(len(cut)) {
		t.Errorf("%d packets dropped, %v", dropped, err)
	}
	for _, l := range cut { // what was sent into the cut comes through now, and its echo is read with the next
		l.talks(t)
	}
	if dropped, err := n.Heal(); err != nil || dropped != 0 {
		t.Errorf("nothing was cut, %d packets dropped, %v", dropped, err)
	}
}

// One way: what b says is not heard by a, and so nothing that needs an answer works; but UDP shows the direction.
func TestDropIsOneWay(t *testing.T) {
	t.Parallel()
	n := newNet(t)
	a, b := host(t, n, "a"), host(t, n, "b")
	ua, ub := udp(t, a.Host), udp(t, b.Host)
	if err := n.Drop(b.Host, a.Host); err != nil {
		t.Fatal(err)
	}
	if err := n.Drop(b.Host, a.Host); err != nil { // twice is once
		t.Fatal(err)
	}
	send := func(from, to *net.UDPConn) {
		if _, err := from.WriteTo([]byte("x"), to.LocalAddr()); err != nil {
			t.Errorf("the sender must not notice: %v", err)
		}
	}
	heard := func(c *net.UDPConn, limit time.Duration) bool {
		if err := c.SetReadDeadline(time.Now().Add(limit)); err != nil {
			t.Fatal(err)
		}
		_, _, err := c.ReadFrom(make([]byte, 8))
		return err == nil
	}
	send(ua, ub)
	if !heard(ub, 10*time.Second) {
		t.Error("a -> b is not cut and was not heard")
	}
	send(ub, ua)
	if heard(ua, silence) {
		t.Error("b -> a is cut and was heard")
	}
	if dropped, err := n.Heal(); err != nil || dropped != 1 {
		t.Errorf("%d packets dropped, not 1, %v", dropped, err)
	}
	send(ub, ua)
	if !heard(ua, 10*time.Second) {
		t.Error("b -> a is healed and was not heard")
	}
}

func udp(t *testing.T, h *Host) *net.UDPConn {
	t.Helper()
	var c *net.UDPConn
	err := h.space.do(func() (err error) {
		c, err = net.ListenUDP("udp4", &net.UDPAddr{IP: h.IP.AsSlice()})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestProcessIsPlaced(t *testing.T) {
	t.Parallel()
	n := newNet(t)
	h, err := n.Host("a")
	if err != nil {
		t.Fatal(err)
	}
	run, err := proc.NewRun(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer run.Sweep()
	script := proc.Config{Name: "sh", Path: "/bin/sh", Args: []string{"-c", "readlink /proc/self/ns/net"}}
	namespaceOf := func(c proc.Config) string {
		p, err := run.Start(c)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(p.Tail(1))
	}
	own, err := os.Readlink(ownSpace)
	if err != nil {
		t.Fatal(err)
	}
	if inside := namespaceOf(h.Place(script)); inside == own || !strings.HasPrefix(inside, "net:[") {
		t.Errorf("placed on a host, it was in %s; we are in %s", inside, own)
	}
	if after := namespaceOf(script); after != own {
		t.Errorf("the next process was in %s, not in our %s", after, own)
	}
}

// crasher is set in the environment of a test process that makes a network and is killed.
const crasher = "FIRESTEEL_NETNS_TEST_CRASH"

// A process that is killed leaves no interface and no route behind.
func TestNothingIsLeftAfterAKill(t *testing.T) {
	if os.Getenv(crasher) != "" {
		n, err := New()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := n.Host("a"); err != nil {
			t.Fatal(err)
		}
		fmt.Println("ready")
		select {}
	}
	t.Parallel()
	if err := Available(); err != nil {
		t.Skip(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), crasher+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if said, err := bufio.NewReader(out).ReadString('\n'); said != "ready\n" {
		t.Fatalf("it said %q, %v", said, err)
	}
	name := fmt.Sprintf(outsideLine, cmd.Process.Pid, 1)
	if _, err := netlink.LinkByName(name); err != nil {
		t.Fatalf("its interface: %v", err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed
	deadline := time.Now().Add(30 * time.Second)
	for {
		if _, err := netlink.LinkByName(name); errors.As(err, &netlink.LinkNotFoundError{}) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is still there", name)
		}
		time.Sleep(20 * time.Millisecond) // the kernel removes it in the background and tells nobody that we could ask more simply
	}
}

func TestCloseRemovesTheInterface(t *testing.T) {
	t.Parallel()
	n := newNet(t)
	own := func() string {
		all, err := netlink.AddrList(nil, netlink.FAMILY_V4)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range all {
			if a.IP.Equal(n.Outside().IP.AsSlice()) {
				return a.String()
			}
		}
		return ""
	}
	if own() == "" {
		t.Errorf("no interface has the address %v", n.Outside().IP)
	}
	for range 2 { // closing twice is closing once
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}
	if left := own(); left != "" {
		t.Errorf("left: %s", left)
	}
	if _, err := n.Host("late"); err == nil {
		t.Error("a closed network makes hosts")
	}
}
