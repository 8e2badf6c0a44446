package netns

import (
	"fmt"
	"net/netip"
	"sync"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
)

// firewall is the router's forward chain. Its rules are the cuts.
type firewall struct {
	mu    sync.Mutex
	conn  *nftables.Conn
	table *nftables.Table
	chain *nftables.Chain
	cuts  map[cut]bool
}

// cut is a direction that is cut.
type cut struct{ from, to netip.Addr }

func newFirewall(router *space) (*firewall, error) {
	conn, err := nftables.New(nftables.WithNetNSFd(router.fd()))
	if err != nil {
		return nil, fmt.Errorf("open nftables: %w", err)
	}
	f := &firewall{conn: conn, cuts: map[cut]bool{}}
	f.table = conn.AddTable(&nftables.Table{Family: nftables.TableFamilyIPv4, Name: "chaos"})
	f.chain = conn.AddChain(&nftables.Chain{
		Name: "cuts", Table: f.table, Type: nftables.ChainTypeFilter,
		Hooknum: nftables.ChainHookForward, Priority: nftables.ChainPriorityFilter,
	})
	if err := conn.Flush(); err != nil {
		return nil, fmt.Errorf("make the router's nftables chain: %w", err)
	}
	return f, nil
}

// drop makes all these cuts at once.
func (f *firewall) drop(cuts []cut) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range cuts {
		if f.cuts[c] {
			continue
		}
		f.conn.AddRule(&nftables.Rule{Table: f.table, Chain: f.chain, Exprs: c.match()})
		f.cuts[c] = true
	}
	if err := f.conn.Flush(); err != nil {
		return fmt.Errorf("cut the network: %w", err)
	}
	return nil
}

// Offsets into the IPv4 header.
const (
	sourceOffset      = 12
	destinationOffset = 16
	addressLength     = 4
)

// match drops and counts what goes from one address to another.
func (c cut) match() []expr.Any {
	field := func(offset uint32, want netip.Addr) []expr.Any {
		return []expr.Any{
			&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: addressLength},
			&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: want.AsSlice()},
		}
	}
	all := append(field(sourceOffset, c.from), field(destinationOffset, c.to)...)
	return append(all, &expr.Counter{}, &expr.Verdict{Kind: expr.VerdictDrop})
}

// heal ends all cuts and gives how many packets they have dropped.
func (f *firewall) heal() (dropped uint64, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if dropped, err = f.dropped(); err != nil {
		return 0, err
	}
	f.conn.FlushChain(f.chain)
	if err := f.conn.Flush(); err != nil {
		return dropped, fmt.Errorf("heal the network: %w", err)
	}
	clear(f.cuts)
	return dropped, nil
}

func (f *firewall) dropped() (uint64, error) {
	rules, err := f.conn.GetRules(f.table, f.chain)
	if err != nil {
		return 0, fmt.Errorf("read the counters of the cuts: %w", err)
	}
	var n uint64
	for _, r := range rules {
		for _, e := range r.Exprs {
			if c, ok := e.(*expr.Counter); ok {
				n += c.Packets
			}
		}
	}
	return n, nil
}
