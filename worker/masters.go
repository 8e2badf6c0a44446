package worker

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// ErrMasterURL says that a master URL cannot be read.
var ErrMasterURL = errors.New("not a master URL")

// ParseMasterURL reads spark://host:port[,host:port…]; the prefix may be missing, as Spark's Worker takes it.
func ParseMasterURL(url string) ([]string, error) {
	rest, ok := strings.CutPrefix(url, "spark://")
	if !ok && strings.Contains(url, "://") {
		return nil, fmt.Errorf("%w: %q: it should look like spark://host:7077[,host:7077…]", ErrMasterURL, url)
	}
	var out []string
	for addr := range strings.SplitSeq(rest, ",") {
		addr = strings.TrimPrefix(strings.TrimSpace(addr), "spark://")
		host, port, err := net.SplitHostPort(addr)
		if n, bad := strconv.ParseUint(port, 10, 16); err != nil || host == "" || bad != nil || n == 0 {
			return nil, fmt.Errorf("%w: %q in %q: it should look like spark://host:7077[,host:7077…]", ErrMasterURL, addr, url)
		}
		out = append(out, addr)
	}
	return out, nil
}

// ClusterView is what a worker uses of GET /v1/cluster.
type ClusterView struct {
	ClusterID string `json:"clusterId"`
	Leader    string `json:"leader"`
	GossipKey bool   `json:"gossipKey"`
	Masters   []struct {
		ID     string `json:"id"`
		RPC    string `json:"rpc"`
		Gossip string `json:"gossip"`
		Leader bool   `json:"leader"`
	} `json:"masters"`
}

var errNoMasters = errors.New("it answers, and names no masters")

// clusterTimeout bounds one question to one master, so that a dead host in the list costs no more.
const clusterTimeout = 2 * time.Second

// maxClusterAnswer bounds the answer, in bytes.
const maxClusterAnswer = 1 << 20

// askCluster asks every master of the list at once and takes the first answer that names masters.
func askCluster(ctx context.Context, masters []string) (ClusterView, error) {
	ctx, cancel := context.WithTimeout(ctx, clusterTimeout)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	type answer struct {
		view ClusterView
		err  error
	}
	answers := make(chan answer, len(masters))
	for _, addr := range masters {
		go func() {
			v, err := askOne(ctx, client, addr)
			answers <- answer{v, err}
		}()
	}
	var errs []error
	for range masters {
		a := <-answers
		if a.err == nil && len(a.view.Masters) > 0 {
			return a.view, nil
		}
		errs = append(errs, cmp.Or(a.err, errNoMasters))
	}
	return ClusterView{}, fmt.Errorf("no master of %s tells of its cluster: %w", strings.Join(masters, ","), errors.Join(errs...))
}

func askOne(ctx context.Context, client *http.Client, addr string) (ClusterView, error) {
	var v ClusterView
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/v1/cluster", nil)
	if err != nil {
		return v, fmt.Errorf("ask %s: %w", addr, err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return v, fmt.Errorf("ask %s: %w", addr, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return v, fmt.Errorf("ask %s: it answers %s: not a Firesteel master", addr, resp.Status)
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxClusterAnswer)).Decode(&v); err != nil {
		return v, fmt.Errorf("ask %s: %w", addr, err)
	}
	return v, nil
}
