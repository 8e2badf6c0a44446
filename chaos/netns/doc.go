// Package netns gives every process of an experiment a host of its own on a network that can be cut: a network
// namespace with one address, joined to the others by a router in a namespace of its own. All cuts are made in one
// place, the router's forward chain (nftables, spoken over netlink; the nft program is not needed), by pairs of source
// and destination. A cut packet vanishes: no reset, no refusal, as when a cable is pulled or a switch dies.
//
//	"" (where we run)          m1                m2
//	 10.x.y.254             10.x.y.2          10.x.y.3
//	      |                     |                 |
//	      +------- router, 10.x.y.1 on every line +        forward: drop saddr A daddr B
//
// A router and not a bridge: a bridge in the machine's own namespace is filtered by whatever firewall the machine has
// (Docker's forward policy is to drop), and needs one kernel module more.
//
// The namespaces have no names. They live by our descriptors and by the processes inside, so the kernel removes all of it,
// also the one interface in the machine's own namespace, whenever we end, however we end. There is nothing to sweep.
//
// Linux and root only ([Available]). It delays and reorders nothing: that takes a kernel with netem.
package netns
