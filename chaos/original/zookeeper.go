package original

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/firesteel/firesteel/chaos/books"
	"github.com/firesteel/firesteel/chaos/proc"
	"github.com/firesteel/firesteel/chaos/spark"
)

// zooKeeper lays out one ZooKeeper server, from the jars that Spark has for its client.
func (c Config) zooKeeper(env []string, port int) (*proc.Member, error) {
	java, err := spark.JavaHome()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(c.Run.Dir, "zookeeper")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("lay out ZooKeeper: %w", err)
	}
	settings := fmt.Sprintf("tickTime=2000\ndataDir=%s\nclientPort=%d\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\n", dir, port)
	path := filepath.Join(dir, "zoo.cfg")
	if err := os.WriteFile(path, []byte(settings), 0o644); err != nil {
		return nil, fmt.Errorf("lay out ZooKeeper: %w", err)
	}
	return c.Run.NewMember(proc.Config{Name: "zookeeper", Path: filepath.Join(java, "bin", "java"), Env: env, Args: []string{
		"-Xmx256m", "-cp", filepath.Join(c.Release.Home, "jars", "*"), "org.apache.zookeeper.server.quorum.QuorumPeerMain", path}}), nil
}

// zooKeeperTime is how long ZooKeeper may take to start; it takes a second.
const zooKeeperTime = time.Minute

// startZooKeeper starts it, if there is one, and waits until it takes connections.
func (c *Cluster) startZooKeeper() error {
	if c.ZooKeeper == nil || c.ZooKeeper.Running() {
		return nil
	}
	if err := c.ZooKeeper.Start(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), zooKeeperTime)
	defer cancel()
	dialer := net.Dialer{}
	return books.Poll(ctx, "ZooKeeper", func(ctx context.Context) error {
		if p := c.ZooKeeper.Process(); !p.Running() {
			return fmt.Errorf("%w: it has ended; its log ends with\n%s", books.ErrHopeless, p.Tail(10))
		}
		conn, err := dialer.DialContext(ctx, "tcp", c.zkAddr)
		if err != nil {
			return err
		}
		return conn.Close()
	})
}
