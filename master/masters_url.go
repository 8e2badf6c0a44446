package master

import (
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/firesteel/firesteel/membership"
	"github.com/firesteel/firesteel/raftnode"
)

// addressBook remembers where masters take Spark's RPC. Gossip shows those that are up; a driver that starts while one is
// down must know that one, too.
type addressBook struct {
	mu    sync.Mutex
	spark map[string]string // by id: host:port
}

// note takes what gossip says of a master.
func (b *addressBook) note(g membership.Member) {
	if g.Role != membership.RoleMaster || g.SparkPort == 0 || g.Host == "" || g.Leaving {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.spark == nil {
		b.spark = map[string]string{}
	}
	b.spark[g.ID] = hostPort(unbracket(g.Host), g.SparkPort)
}

func (b *addressBook) find(id string) (string, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	addr, ok := b.spark[id]
	return addr, ok
}

// mastersURL is spark://host:port[,host:port...] with every master of the cluster, in the order of their ids: what drivers are
// given as spark.master, whichever master took them.
func (m *Master) mastersURL() string {
	for _, g := range m.gossip.Masters() {
		if m.belongs(g) {
			m.book.note(g)
		}
	}
	servers := m.node.Servers()
	if !slices.ContainsFunc(servers, func(s raftnode.Server) bool { return s.ID == m.cfg.ID }) {
		servers = append(servers, raftnode.Server{ID: m.cfg.ID})
	}
	slices.SortFunc(servers, func(a, b raftnode.Server) int { return strings.Compare(a.ID, b.ID) })
	var out []string
	for _, s := range servers {
		if addr, ok := m.sparkAddressOf(s); ok && !slices.Contains(out, addr) {
			out = append(out, addr)
		}
	}
	return "spark://" + strings.Join(out, ",")
}

// sparkAddressOf is where a member of the quorum takes Spark's RPC, as gossip has it or had it last. One that this process
// has never seen is taken to use the port that this one does, if it is on another host.
func (m *Master) sparkAddressOf(s raftnode.Server) (string, bool) {
	own := unbracket(m.cfg.Spark.Host)
	port := strconv.Itoa(m.sparkPort)
	if s.ID == m.cfg.ID {
		return net.JoinHostPort(own, port), true
	}
	if addr, ok := m.book.find(s.ID); ok {
		return addr, true
	}
	host, _, err := net.SplitHostPort(s.Addr)
	if err != nil || host == "" || host == own {
		return "", false
	}
	return net.JoinHostPort(host, port), true
}

func unbracket(host string) string { return strings.TrimSuffix(strings.TrimPrefix(host, "["), "]") }
