package netns

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// ErrUnavailable says that this process may not make namespaces, or that this kernel has not what they need.
var ErrUnavailable = errors.New("network namespaces are not available")

// Net is one network of an experiment.
type Net struct {
	prefix  netip.Prefix
	router  *space
	outside *Host
	fw      *firewall

	mu     sync.Mutex
	hosts  []*Host
	closed bool
}

// outsideName is the host that stands for the machine's own namespace, in which the experiment itself runs.
const outsideName = ""

const (
	routerHost  = 1   // the last byte of the router's address, the same on every line
	firstHost   = 2   // of the first host
	outsideHost = 254 // of the machine's own namespace
)

// New makes a network with the machine's own namespace as its first host, [Net.Outside].
func New() (*Net, error) {
	prefix, err := freePrefix()
	if err != nil {
		return nil, err
	}
	router, err := newSpace()
	if err != nil {
		return nil, unavailable(err)
	}
	n := &Net{prefix: prefix, router: router}
	if err := n.setUp(); err != nil {
		return nil, errors.Join(unavailable(err), n.Close())
	}
	return n, nil
}

func (n *Net) setUp() error {
	if err := n.router.do(func() error { return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644) }); err != nil {
		return fmt.Errorf("forward packets between hosts: %w", err)
	}
	var err error
	if n.fw, err = newFirewall(n.router); err != nil {
		return err
	}
	here, err := thisSpace()
	if err != nil {
		return err
	}
	n.outside = &Host{Name: outsideName, IP: n.address(outsideHost), space: here}
	return n.connect(n.outside, fmt.Sprintf(outsideLine, os.Getpid(), made.Add(1)), true)
}

// outsideLine names the interface in the machine's own namespace by our pid and a number: it says whose it is, and several
// networks of one process do not collide.
const outsideLine = "fs%d-%d"

var made atomic.Int64

// unavailable marks the errors of a kernel or a container that does not let us do this. Any other one is a defect.
func unavailable(err error) error {
	for _, e := range []error{unix.EPERM, unix.EACCES, unix.ENOSYS, unix.EOPNOTSUPP, unix.EPROTONOSUPPORT, unix.EAFNOSUPPORT, unix.EROFS, unix.ENOENT} {
		if errors.Is(err, e) {
			return fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
	}
	return err
}

// Available tells why there can be no network; nil where there can. It makes one and gives it up.
func Available() error {
	n, err := New()
	if err != nil {
		return err
	}
	return n.Close()
}

// Outside is the machine's own namespace as a host of the network: its address there is where processes inside reach
// what runs outside.
func (n *Net) Outside() *Host { return n.outside }

// Prefix is the range of all addresses of the network.
func (n *Net) Prefix() netip.Prefix { return n.prefix }

// Host gives the host of that name and makes it if there is none yet.
func (n *Net) Host(name string) (*Host, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil, fmt.Errorf("make host %s: the network is closed", name)
	}
	if i := slices.IndexFunc(n.hosts, func(h *Host) bool { return h.Name == name }); i >= 0 {
		return n.hosts[i], nil
	}
	last := firstHost + len(n.hosts)
	if last >= outsideHost {
		return nil, fmt.Errorf("make host %s: a network has at most %d hosts", name, outsideHost-firstHost)
	}
	s, err := newSpace()
	if err != nil {
		return nil, fmt.Errorf("make host %s: %w", name, err)
	}
	h := &Host{Name: name, IP: n.address(byte(last)), space: s}
	if err := n.connect(h, fmt.Sprintf("line%d", last), false); err != nil {
		return nil, errors.Join(fmt.Errorf("make host %s: %w", name, err), s.close())
	}
	n.hosts = append(n.hosts, h)
	return h, nil
}

// Hosts are all hosts but the outside.
func (n *Net) Hosts() []*Host {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.hosts)
}

func (n *Net) address(last byte) netip.Addr {
	a := n.prefix.Addr().As4()
	a[3] = last
	return netip.AddrFrom4(a)
}

// connect lays a line between the router and a host. The host reaches the network over it, and the outside nothing else.
func (n *Net) connect(h *Host, name string, outside bool) error {
	far, err := n.router.links()
	if err != nil {
		return err
	}
	defer far.Close()
	near, err := h.space.links()
	if err != nil {
		return err
	}
	defer near.Close()
	// The pair is made in the router's namespace: when that goes, both ends go.
	attrs := netlink.NewLinkAttrs()
	attrs.Name = name
	pair := &netlink.Veth{LinkAttrs: attrs, PeerName: name, PeerNamespace: netlink.NsFd(h.space.fd())}
	if err := far.LinkAdd(pair); err != nil {
		return fmt.Errorf("make the line %s: %w", name, err)
	}
	gateway := n.address(routerHost)
	if err := lay(far, name, gateway, netip.PrefixFrom(h.IP, 32), netip.Addr{}); err != nil {
		return fmt.Errorf("the router's end of the line %s: %w", name, err)
	}
	if !outside {
		if err := up(near, "lo"); err != nil {
			return err
		}
	}
	if err := lay(near, name, h.IP, n.prefix, gateway); err != nil {
		return fmt.Errorf("the end of the line %s at host %q: %w", name, h.Name, err)
	}
	return nil
}

// lay gives one end of a line its address and its route; the gateway, if there is one, is at the other end.
func lay(links *netlink.Handle, name string, ip netip.Addr, to netip.Prefix, gateway netip.Addr) error {
	link, err := links.LinkByName(name)
	if err != nil {
		return err
	}
	if err := links.AddrAdd(link, &netlink.Addr{IPNet: ipNet(netip.PrefixFrom(ip, 32))}); err != nil {
		return fmt.Errorf("give it the address %v: %w", ip, err)
	}
	if err := links.LinkSetUp(link); err != nil {
		return err
	}
	route := &netlink.Route{LinkIndex: link.Attrs().Index, Dst: ipNet(to), Scope: netlink.SCOPE_LINK}
	if gateway.IsValid() {
		route.Scope, route.Gw, route.Flags = netlink.SCOPE_UNIVERSE, gateway.AsSlice(), int(netlink.FLAG_ONLINK)
	}
	route.Src = ip.AsSlice()
	if err := links.RouteAdd(route); err != nil {
		return fmt.Errorf("make the route to %v: %w", to, err)
	}
	return nil
}

func up(links *netlink.Handle, name string) error {
	link, err := links.LinkByName(name)
	if err != nil {
		return err
	}
	return links.LinkSetUp(link)
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), 32)}
}

// freePrefix draws a /24 of 10.0.0.0/8 of which no route of this machine knows anything.
func freePrefix() (netip.Prefix, error) {
	routes, err := netlink.RouteList(nil, netlink.FAMILY_V4)
	if err != nil {
		return netip.Prefix{}, unavailable(fmt.Errorf("list routes: %w", err))
	}
	for range 1000 {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(64 + rand.IntN(128)), byte(rand.IntN(256)), 0}), 24)
		taken := slices.ContainsFunc(routes, func(r netlink.Route) bool {
			if r.Dst == nil {
				return false // the default route
			}
			ones, _ := r.Dst.Mask.Size()
			ip, ok := netip.AddrFromSlice(r.Dst.IP.To4())
			return ok && ones > 0 && netip.PrefixFrom(ip, ones).Overlaps(p)
		})
		if !taken {
			return p, nil
		}
	}
	return netip.Prefix{}, fmt.Errorf("%w: every range of 10.64.0.0/10 and 10.128.0.0/10 seems to be routed somewhere", ErrUnavailable)
}

// Close removes the network. Processes that still run inside are cut off from everything.
func (n *Net) Close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil
	}
	n.closed = true
	var errs []error
	// Taken down by hand: the kernel would do it too, but some time after the last descriptor is closed.
	if n.outside != nil {
		errs = append(errs, n.removeLines(), n.outside.space.close())
	}
	for _, h := range n.hosts {
		errs = append(errs, h.space.close())
	}
	return errors.Join(append(errs, n.router.close())...)
}

func (n *Net) removeLines() error {
	links, err := n.router.links()
	if err != nil {
		return err
	}
	defer links.Close()
	all, err := links.LinkList()
	if err != nil {
		return fmt.Errorf("list the lines: %w", err)
	}
	var errs []error
	for _, l := range all {
		if l.Type() == "veth" {
			errs = append(errs, links.LinkDel(l))
		}
	}
	return errors.Join(errs...)
}
