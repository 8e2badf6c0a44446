package worker

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
)

func TestParseMasterURL(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		url  string
		want []string // nil: refused
	}{
		{"spark://m1:7077", []string{"m1:7077"}},
		{"m1:7077", []string{"m1:7077"}},
		{"spark://m1:7077,m2:7077,m3:7078", []string{"m1:7077", "m2:7077", "m3:7078"}},
		{"spark://m1:7077, spark://m2:7077", []string{"m1:7077", "m2:7077"}},
		{"spark://[::1]:7077,10.0.0.1:1", []string{"[::1]:7077", "10.0.0.1:1"}},
		{"", nil},
		{"spark://", nil},
		{"spark://m1", nil},
		{"spark://m1:", nil},
		{"spark://:7077", nil},
		{"spark://m1:0", nil},
		{"spark://m1:70777", nil},
		{"spark://m1:http", nil},
		{"spark://m1:-1", nil},
		{"spark://m1:7077,", nil},
		{"http://m1:8080", nil},
		{"local[2]", nil},
		{"::1:7077", nil},
	} {
		got, err := ParseMasterURL(tt.url)
		if !reflect.DeepEqual(got, tt.want) || (err == nil) != (tt.want != nil) {
			t.Errorf("%q: %v, %v; want %v", tt.url, got, err, tt.want)
		}
		if err != nil && (!errors.Is(err, ErrMasterURL) || !strings.Contains(err.Error(), "spark://host:7077")) {
			t.Errorf("%q: %v", tt.url, err)
		}
	}
}

func clusterAt(t *testing.T, answer http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func saying(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/cluster" {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte(text))
	}
}

func closedPort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

func TestAskClusterTakesTheFirstUsefulAnswer(t *testing.T) {
	t.Parallel()
	good := clusterAt(t, saying(`{"clusterId":"c","leader":"m2","gossipKey":true,"masters":[{"id":"m1","rpc":"h1:1","gossip":"h1:2"},{"id":"m3"},{"id":"m2","rpc":"h2:1","leader":true,"new":[1]}]}`))
	silent := make(chan struct{})
	defer close(silent)
	hung := clusterAt(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-silent:
		}
	})
	empty := clusterAt(t, saying(`{"masters":[]}`))
	spark := clusterAt(t, http.NotFound)
	view, err := askCluster(t.Context(), []string{hung, closedPort(t), empty, spark, good})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := leaderFirst(view), []string{"h2:1", "h1:1"}; view.ClusterID != "c" || !view.GossipKey || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, order %v", view, got)
	}
}

func TestAskClusterSaysWhyNobodyHelps(t *testing.T) {
	t.Parallel()
	down := closedPort(t)
	_, err := askCluster(t.Context(), []string{clusterAt(t, saying(`{"masters":[]}`)), clusterAt(t, http.NotFound), clusterAt(t, saying(`<html>`)), down})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"names no masters", "404 Not Found: not a Firesteel master", "invalid character", "connection refused", down} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v: nothing of %q", err, want)
		}
	}
	if strings.Contains(err.Error(), "%!") {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := askCluster(ctx, []string{down}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
