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

	Healthy          bool `json:"healthy"`          // every member of the quorum is, as far as the leader knows
	FailureTolerance int  `json:"failureTolerance"` // voters that may fail now
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
	Member bool   `json:"member"` // of the quorum
	Voter  bool   `json:"voter"`

	Healthy bool `json:"healthy"`
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

// Quorum names the members, those without a vote in brackets, such as "m1 m2 m3 (m4)".
func (c Cluster) Quorum() string {
	var all []string
	for _, m := range c.Masters {
		switch {
		case m.Voter:
			all = append(all, m.ID)
		case m.Member:
			all = append(all, "("+m.ID+")")
		}
	}
	return strings.Join(all, " ")
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
	return fmt.Sprintf("term %d, leader %q, masters %s, quorum %s, tolerating %d", c.Term, c.Leader, strings.Join(all, ", "), c.Quorum(), c.FailureTolerance)
}

// Digest is the answer to GET /v1/digest.
type Digest struct {
	Index  uint64 `json:"index"`
	Digest string `json:"digest"`
}

// ReadDigest asks a master's web UI, http://host:port, for the digest of its state.
func ReadDigest(ctx context.Context, web string) (Digest, error) {
	var d Digest
	return d, get(ctx, web+"/v1/digest", &d)
}

// Executor is one that has not ended, as a master believes.
type Executor struct {
	App    string `json:"app"`
	ID     int    `json:"id"`
	Worker string `json:"worker"`
	Cores  int    `json:"cores"`
	Memory int    `json:"memory"`
	State  string `json:"state"`
}

// LinearizableExecutors asks any master's web UI where all executors are; no later answer may contradict it.
func LinearizableExecutors(ctx context.Context, web string) ([]Executor, error) {
	var all struct {
		Executors []Executor `json:"executors"`
	}
	return all.Executors, get(ctx, web+"/v1/executors"+linearizable, &all)
}

const linearizable = "?consistency=linearizable"

// ReadLinearizable is Read for a read that misses nothing that was acknowledged before it.
func ReadLinearizable(ctx context.Context, web string) (Books, error) {
	var b Books
	return b, get(ctx, web+"/json/"+linearizable, &b)
}
