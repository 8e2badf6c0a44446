//go:build realhdfs

// Run with: go test -tags realhdfs -run RealHDFS ./worker/fetch (needs a JDK and Maven; -update records testdata/hdfs anew)

package fetch

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/firesteel/firesteel/config"
)

var update = flag.Bool("update", false, "record testdata/hdfs anew")

// run runs a program that must succeed.
func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

// startHDFS starts MiniHdfs.java and gives the ports of the standby, of the active NameNode, and of its web pages.
func startHDFS(t *testing.T) (standby, active, web string) {
	t.Helper()
	dir := t.TempDir()
	run(t, "mvn", "-q", "-B", "-f", "testdata/hdfs/pom.xml", "dependency:copy-dependencies", "-DoutputDirectory="+filepath.Join(dir, "jars"))
	classPath := filepath.Join(dir, "jars", "*") + ":" + filepath.Join(dir, "classes")
	run(t, "javac", "-cp", classPath, "-d", filepath.Join(dir, "classes"), "testdata/hdfs/MiniHdfs.java")
	java := exec.Command("java", "-Xmx512m", "-cp", classPath, "MiniHdfs", filepath.Join(dir, "data"))
	java.Dir = dir
	var log bytes.Buffer
	java.Stderr = &log
	in, err := java.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := java.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := java.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := java.Wait(); err != nil {
			t.Errorf("HDFS: %v\n%s", err, log.Bytes())
		}
	})
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if _, err := fmt.Sscanf(lines.Text(), "READY %s %s %s", &standby, &active, &web); err == nil {
			return standby, active, web
		}
	}
	t.Fatalf("HDFS did not start\n%s", log.Bytes())
	return "", "", ""
}

func TestRealHDFS(t *testing.T) {
	standby, active, web := startHDFS(t)
	service := func(nodes string) map[string]string {
		return map[string]string{
			"spark.hadoop.fs.defaultFS": "hdfs://jars", "spark.hadoop.dfs.nameservices": "jars", "spark.hadoop.dfs.ha.namenodes.jars": nodes,
			"spark.hadoop.dfs.namenode.rpc-address.jars.down": "localhost:1", "spark.hadoop.dfs.namenode.rpc-address.jars.nn1": "localhost:" + standby,
			"spark.hadoop.dfs.namenode.rpc-address.jars.nn2": "localhost:" + active,
		}
	}
	f := New(Config{Env: config.Env{"HADOOP_USER_NAME": "nobody"}})
	at := "hdfs://localhost:" + active
	for resource, length := range map[string]int{at + "/jars/app.jar": 5_000_000, "hdfs:///jars/small.jar": 6000, "hdfs://jars/jars/app.jar": 5_000_000, at + "/jars/empty.jar": 0} {
		if _, text := fetched(t, f, resource, service("down, nn1 ,nn2")); len(text) != length {
			t.Errorf("%s has %d bytes", resource, len(text))
		}
	}
	for resource, want := range map[string]struct {
		words string
		err   error
	}{
		at + "/jars/none.jar":                         {"there is no /jars/none.jar", fs.ErrNotExist},
		at + "/jars":                                  {"/jars is no file, but a folder", ErrNoFile},
		at + "/jars/private.jar":                      {"user=nobody, access=READ", fs.ErrPermission},
		at + "/jars/rotten.jar":                       {"does not fit its checksum", ErrChecksum},
		"hdfs://localhost:" + web + "/jars/app.jar":   {`begins with "HTTP"`, ErrProtocol},
		"hdfs://localhost:" + standby + "/jars/x.jar": {"StandbyException", nil},
	} {
		if err := refused(t, f, resource, nil, want.words); want.err != nil && !errors.Is(err, want.err) {
			t.Errorf("%v is no %v", err, want.err)
		}
	}
	refused(t, f, "http://localhost:"+active+"/x.jar", nil, "404")
	reached := make(chan struct{}, 10)
	slow := New(Config{Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err != nil || strings.HasSuffix(address, ":"+active) {
			return conn, err
		}
		return &stuck{Conn: conn, after: 100_000, told: reached, over: make(chan struct{})}, nil
	}})
	cancelled(t, slow, at+"/jars/app.jar", nil, reached)
	if *update {
		record(t, active)
	}
}

// stuck is a connection from which nothing comes any more after so many bytes.
type stuck struct {
	net.Conn
	after int
	told  chan<- struct{}
	once  sync.Once
	over  chan struct{}
}

func (s *stuck) Read(b []byte) (int, error) {
	if s.after <= 0 {
		s.told <- struct{}{}
		<-s.over
		return 0, net.ErrClosed
	}
	n, err := s.Conn.Read(b)
	s.after -= n
	return n, err
}

func (s *stuck) Close() error {
	s.once.Do(func() { close(s.over) })
	return s.Conn.Close()
}

// record fetches small.jar and keeps what went over the wire.
func record(t *testing.T, active string) {
	t.Helper()
	var tapes []*tape
	f := New(Config{Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		tapes = append(tapes, &tape{Conn: conn})
		return tapes[len(tapes)-1], nil
	}})
	_, text := fetched(t, f, "hdfs://localhost:"+active+"/jars/small.jar", nil)
	if len(tapes) != 3 {
		t.Fatalf("%d connections, and not one to a NameNode and one for each of two blocks", len(tapes))
	}
	for name, raw := range map[string][]byte{
		"namenode.asked": tapes[0].out, "namenode.answered": tapes[0].in, "block0": tapes[1].in, "block1": tapes[2].in,
		"sha256": fmt.Appendf(nil, "%x", sha256.Sum256([]byte(text))),
	} {
		if err := os.WriteFile(filepath.Join("testdata/hdfs", name), raw, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

type tape struct {
	net.Conn
	in, out []byte
}

func (t *tape) Read(b []byte) (int, error) {
	n, err := t.Conn.Read(b)
	t.in = append(t.in, b[:n]...)
	return n, err
}

func (t *tape) Write(b []byte) (int, error) {
	t.out = append(t.out, b...)
	return t.Conn.Write(b)
}
