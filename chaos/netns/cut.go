package netns

import "slices"

// Drop drops all packets that go from one host to another, in that direction only, until Heal.
func (n *Net) Drop(from, to *Host) error { return n.fw.drop([]cut{{from.IP, to.IP}}) }

// Cut drops all packets between two groups of hosts, both ways, until Heal.
func (n *Net) Cut(some, others []*Host) error {
	var cuts []cut
	for _, a := range some {
		for _, b := range others {
			cuts = append(cuts, cut{a.IP, b.IP}, cut{b.IP, a.IP})
		}
	}
	return n.fw.drop(cuts)
}

// Isolate cuts a host off from all others, and from the outside too: its machine has lost its network.
func (n *Net) Isolate(h *Host) error {
	others := slices.DeleteFunc(append(n.Hosts(), n.outside), func(o *Host) bool { return o == h })
	return n.Cut([]*Host{h}, others)
}

// Heal ends all cuts and gives how many packets were dropped since the last Heal: a cut that dropped none proved nothing.
func (n *Net) Heal() (dropped uint64, err error) { return n.fw.heal() }
