package web

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/firesteel/firesteel/fsm"
)

// Master is what the pages need of the master that serves them.
type Master interface {
	// State is the replicated state as this master has applied it.
	State() *fsm.State
	// ReadBarrier waits until State holds all that was committed before the call; an error where nobody leads.
	ReadBarrier(ctx context.Context) error
	// Leading tells whether this master leads and its duties run.
	Leading() bool
	// URL is its own spark://host:port.
	URL() string
	// LastHeartbeat is when a worker was last heard of, in milliseconds since the epoch; 0 where this master does not know.
	LastHeartbeat(workerID string) int64
	// Cluster is the answer to GET /v1/cluster.
	Cluster() Cluster
}

// Cluster is the answer to GET /v1/cluster on the ports 7077 and 8080 of any master.
type Cluster struct {
	ClusterID string       `json:"clusterId"` // empty until the first leader has named it
	Leader    string       `json:"leader"`    // id; empty while nobody leads
	Term      uint64       `json:"term"`
	Masters   []MasterInfo `json:"masters"` // by id
	GossipKey bool         `json:"gossipKey"`
	// Healthy says that every member of the quorum is, FailureTolerance how many voters may fail now without loss of the
	// quorum, Voters how many should vote. The leader knows: false and 0 while nobody leads.
	Healthy          bool `json:"healthy"`
	FailureTolerance int  `json:"failureTolerance"`
	Voters           int  `json:"voters"`
	// WorkerHealth is what the leader doubts about workers.
	WorkerHealth WorkerHealth `json:"workerHealth"`
}

// MasterInfo is one master. Addresses are host:port, or a URL where the name says so.
type MasterInfo struct {
	ID     string `json:"id"`
	Spark  string `json:"spark"`
	Web    string `json:"web"`
	REST   string `json:"rest,omitempty"`
	RPC    string `json:"rpc"`
	Gossip string `json:"gossip"`
	Raft   string `json:"raft"`
	Leader bool   `json:"leader"`
	Alive  bool   `json:"alive"`  // gossip sees it
	Member bool   `json:"member"` // of the Raft configuration
	Voter  bool   `json:"voter"`  // a member that is no spare
	// Healthy, Lag and Problem are the leader's view of a member: it answers and its log is near the leader's; how many
	// entries it is behind; why it does not answer.
	Healthy bool   `json:"healthy"`
	Lag     uint64 `json:"lag,omitempty"`
	Problem string `json:"problem,omitempty"`
}

// ClusterHandler serves GET /v1/cluster.
func ClusterHandler(m Master) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json;charset=utf-8")
		w.Header().Set("Cache-Control", "no-cache, no-store, must-revalidate")
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		_ = e.Encode(m.Cluster()) // a client that has gone away is told nothing
	})
}
