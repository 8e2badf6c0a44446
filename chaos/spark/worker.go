package spark

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/firesteel/firesteel/chaos/proc"
)

// WorkerConfig says how Spark's own Worker is run.
type WorkerConfig struct {
	Release Release
	Master  string // spark://host:port[,host:port...]
	Name    string // of the process and its log; "" is made of the release
	// Cores and Memory (MiB); 0 is 2 and 2048.
	Cores, Memory int
	// Conf are settings of the worker.
	Conf map[string]string
}

// Worker is Spark's own Worker of a release, unmodified.
type Worker struct {
	*proc.Member
	Release Release
	port    int
}

// small makes the worker's JVM start with little: the machine that tests has two cores. Its executors do not inherit it.
func small(conf map[string]string) []string {
	opts := "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
	for _, key := range slices.Sorted(maps.Keys(conf)) {
		opts += " -D" + key + "=" + conf[key]
	}
	return []string{"SPARK_DAEMON_MEMORY=256m", "SPARK_DAEMON_JAVA_OPTS=" + opts}
}

// NewWorker lays a worker out and does not start it. It keeps its port when it is started again.
func NewWorker(run *proc.Run, c WorkerConfig) (*Worker, error) {
	if c.Name == "" {
		c.Name = "jvm-worker-" + c.Release.Version
	}
	if c.Cores == 0 {
		c.Cores = 2
	}
	if c.Memory == 0 {
		c.Memory = 2048
	}
	ports, err := proc.Ports(2)
	if err != nil {
		return nil, err
	}
	env, err := Environment(run.Dir)
	if err != nil {
		return nil, err
	}
	args := []string{"org.apache.spark.deploy.worker.Worker", "--host", "127.0.0.1", "--port", strconv.Itoa(ports[0]), "--webui-port", strconv.Itoa(ports[1]),
		"-c", strconv.Itoa(c.Cores), "-m", strconv.Itoa(c.Memory) + "m", "-d", filepath.Join(run.Dir, "work", c.Name), c.Master}
	env = append(env, c.Release.Env()...)
	m := run.NewMember(proc.Config{Name: c.Name, Path: filepath.Join(c.Release.Home, "bin", "spark-class"), Args: args, Env: append(env, small(c.Conf)...)})
	return &Worker{Member: m, Release: c.Release, port: ports[0]}, nil
}

// Has tells whether a worker's id, as the masters have it, is one of this worker: worker-20261121143244-127.0.0.1-35649.
func (w *Worker) Has(id string) bool {
	return strings.HasSuffix(id, fmt.Sprintf("-127.0.0.1-%d", w.port))
}
