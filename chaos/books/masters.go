package books

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Cluster is the answer to GET /v1/cluster.
type Cluster struct {
	ClusterID string   `json:"clusterId"`
	Term      uint64   `json:"term"`
	Leader    string   `json:"leader"` // id; empty while nobody leads
	Masters   []Master `json:"masters"`
}

// Master is one master as another one sees it.
type Master struct {
	ID     string `json:"id"`
	Spark  string `json:"spark"`
	Web    string `json:"web"`
	RPC    string `json:"rpc"`
	Gossip string `json:"gossip"`
	Leader bool   `json:"leader"`
	Alive  bool   `json:"alive"`
	Voter  bool   `json:"voter"`
}

// ReadCluster asks any port of a master that speaks HTTP, http://host:port.
func ReadCluster(ctx context.Context, base string) (Cluster, error) {
	var c Cluster
	return c, get(ctx, base+"/v1/cluster", &c)
}

// Alive counts the masters that are alive.
func (c Cluster) Alive() int {
	n := 0
	for _, m := range c.Masters {
		if m.Alive {
			n++
		}
	}
	return n
}

// Has tells whether a master is known and alive.
func (c Cluster) Has(id string) bool {
	return slices.ContainsFunc(c.Masters, func(m Master) bool { return m.ID == id && m.Alive })
}

func (c Cluster) String() string {
	var all []string
	for _, m := range c.Masters {
		state := "dead"
		if m.Alive {
			state = "alive"
		}
		all = append(all, m.ID+" "+state)
	}
	return fmt.Sprintf("term %d, leader %q, masters %s", c.Term, c.Leader, strings.Join(all, ", "))
}
