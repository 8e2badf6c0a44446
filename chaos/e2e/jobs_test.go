//go:build realspark

package e2e

import (
	"net"
	"strconv"
	"testing"

	"github.com/firesteel/firesteel/chaos/proc"
	"github.com/firesteel/firesteel/chaos/spark"
)

// TestBothReleases runs jobs of both releases at the same time on the same workers.
func TestBothReleases(t *testing.T) {
	f := begin(t)
	conf := map[string]string{"spark.cores.max": "2"}
	for _, job := range []spark.JobConfig{{Program: "pi", Python: true, Conf: conf}, {Program: "udf", Conf: conf}, {Program: "cached", Conf: conf}} {
		for _, j := range f.launchAll(job) {
			defer func() { f.must(j.Close()) }()
			if line, err := j.WaitResult(f.ctx); err != nil {
				t.Error(err)
			} else {
				t.Logf("%s: %s", j.Name, line.Text)
				f.settled(j, "FINISHED")
			}
		}
	}
	f.quiet()
}

// TestSingleFollowerURL: a driver that knows one follower only is served as by the leader.
func TestSingleFollowerURL(t *testing.T) {
	f := begin(t)
	leader := f.leader()
	for _, m := range f.Masters {
		if m == leader.Master {
			continue
		}
		jobs := f.launchAll(spark.JobConfig{Program: "rounds", Args: []string{"2"}, Master: m.URL(), Conf: map[string]string{"spark.cores.max": "2"}})
		for _, j := range jobs {
			f.succeeded(j)
			f.undisturbed(j, workers)
		}
		break // one follower is as good as the other
	}
	f.quiet()
}

// TestDeadHostInMasterList: one master of the list refuses connections, and one accepts them and says nothing.
func TestDeadHostInMasterList(t *testing.T) {
	f := begin(t)
	ports, err := proc.Ports(1)
	f.must(err)
	silent, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	f.must(err)
	t.Cleanup(func() { silent.Close() })
	url := "spark://127.0.0.1:" + strconv.Itoa(ports[0]) + "," + silent.Addr().String()
	for _, m := range f.Masters {
		url += "," + m.Spark()
	}
	for _, j := range f.launchAll(spark.JobConfig{Program: "rounds", Args: []string{"2"}, Master: url, Conf: map[string]string{"spark.cores.max": "2"}}) {
		f.succeeded(j)
	}
	f.quiet()
}
