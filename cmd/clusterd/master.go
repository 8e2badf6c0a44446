package main

import (
	"fmt"
	"log/slog"
	"net"
	"regexp"
	"strings"
	"time"

	"github.com/firesteel/firesteel/cmd/internal/usage"
	"github.com/firesteel/firesteel/config"
	"github.com/firesteel/firesteel/internal/heap"
	"github.com/firesteel/firesteel/master"
	"github.com/urfave/cli/v2"
)

func masterCommand() *cli.Command {
	return &cli.Command{
		Name:  "master",
		Usage: "run a master",
		Description: "Three masters make a cluster that survives the loss of any one of them. Start each with the same\n" +
			"--bootstrap-expect 3 and with --join naming the gossip address of at least one other; the order does not\n" +
			"matter. A restarted master finds its place by its --id and --data-dir.\n\n" +
			"Ports: --port takes Spark's RPC and, by the first byte, HTTP (REST submissions, GET /v1/cluster); --rest-port takes\n" +
			"REST submissions alone; --webui-port serves /json/;\n" +
			"--rpc-port is for the other masters and for Go workers (gRPC and Raft share it); --gossip-port needs TCP and UDP.",
		HideHelpCommand: true,
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "id", Usage: "`NAME` of this master, for ever; unique in the cluster", EnvVars: []string{"FIRESTEEL_MASTER_ID"}},
			&cli.StringFlag{Name: "data-dir", Usage: "`DIR` of the Raft log and snapshots; belongs to this id alone", EnvVars: []string{"FIRESTEEL_DATA_DIR"}},
			&cli.StringFlag{Name: "disk-reserve", Usage: "keep `SIZE` of the data directory's disk, twice: as a file, and free; below it no\n" +
				"request that changes anything is taken (default: 64m, less on a small disk; 0: none)"},
			&cli.StringFlag{Name: "host", Aliases: []string{"h"}, Usage: "`HOST` to advertise (SPARK_MASTER_HOST; default: this machine's name)"},
			&cli.StringFlag{Name: "bind", Usage: "`ADDRESS` to listen on (default: the host)"},
			&cli.IntFlag{Name: "port", Aliases: []string{"p"}, Usage: "Spark RPC `PORT` (SPARK_MASTER_PORT; default 7077)"},
			&cli.IntFlag{Name: "rest-port", Usage: "REST submission `PORT` (spark.master.rest.port; default 6066, or the next free one)"},
			&cli.IntFlag{Name: "webui-port", Usage: "web UI and JSON `PORT` (SPARK_MASTER_WEBUI_PORT; default 8080)"},
			&cli.IntFlag{Name: "rpc-port", Value: 7078, Usage: "gRPC and Raft `PORT`"},
			&cli.IntFlag{Name: "gossip-port", Value: 7946, Usage: "gossip `PORT`, TCP and UDP"},
			&cli.IntFlag{Name: "bootstrap-expect", Usage: "make the first configuration when this `NUMBER` of masters is there; 1, 3 or 5"},
			&cli.StringFlag{Name: "join", Usage: "gossip addresses of other masters, `HOST:PORT[,HOST:PORT...]`"},
			&cli.Uint64Flag{Name: "snapshot-threshold", Value: 8192, Usage: "write a snapshot after so many log entries, `NUMBER`"},
			&cli.DurationFlag{Name: "snapshot-interval", Value: 30 * time.Second, Usage: "how often the threshold is looked at, `TIME`"},
			&cli.Uint64Flag{Name: "trailing-logs", Value: 20_000, Usage: "log entries kept for masters that are behind, `NUMBER`; one that is further behind is sent a snapshot"},
			&cli.StringFlag{Name: "properties-file", Usage: "spark.* settings from `FILE` (default: conf/spark-defaults.conf)"},
		}, gossipFlags()...),
		Action: runMaster,
	}
}

// heapRoom is what a master's heap may grow by before it is collected, in bytes.
const heapRoom = 64 << 20

func runMaster(c *cli.Context) error {
	cfg, err := masterConfig(c)
	if err != nil {
		return err
	}
	ctx, stop := stopSignals(c.Context)
	defer stop()
	go heap.KeepRoom(ctx, heapRoom)
	m, err := master.Open(ctx, cfg)
	if err != nil {
		return fmt.Errorf("start master %s: %w", cfg.ID, err)
	}
	slog.Info("master ready", "id", cfg.ID, "url", m.URL(), "json", m.WebURL()+"/json/")
	<-ctx.Done()
	slog.Info("stopping", "id", cfg.ID)
	return m.Close()
}

func masterConfig(c *cli.Context) (master.Config, error) {
	if err := noArguments(c); err != nil {
		return master.Config{}, err
	}
	if err := checkMasterFlags(c); err != nil {
		return master.Config{}, err
	}
	spark, err := config.LoadMaster(config.MasterFlags{
		Host: given(c, "host", c.String), Port: given(c, "port", c.Int), WebUIPort: given(c, "webui-port", c.Int),
		RESTPort: given(c, "rest-port", c.Int), PropertiesFile: c.String("properties-file"),
	}, config.OSEnv())
	if err != nil {
		return master.Config{}, err
	}
	key, err := gossipKey(c)
	if err != nil {
		return master.Config{}, err
	}
	reserve, err := diskReserve(c)
	if err != nil {
		return master.Config{}, err
	}
	return master.Config{
		ID: c.String("id"), DataDir: c.String("data-dir"), Bind: c.String("bind"), Spark: spark,
		RPCPort: c.Int("rpc-port"), GossipPort: c.Int("gossip-port"), BootstrapExpect: c.Int("bootstrap-expect"), Join: splitList(c.String("join")),
		DiskReserve: reserve,
		Snapshots:   master.Snapshots{Threshold: c.Uint64("snapshot-threshold"), Interval: c.Duration("snapshot-interval"), Trailing: c.Uint64("trailing-logs")},
		Profile:     c.String("profile"), GossipKey: key, Logger: slog.Default().With("master", c.String("id")),
	}, nil
}

// diskReserve reads --disk-reserve: 0 where it was not given, negative for none.
func diskReserve(c *cli.Context) (int64, error) {
	text := c.String("disk-reserve")
	if text == "" {
		return 0, nil
	}
	n, err := config.ParseBytes(text, config.Byte)
	if err != nil {
		return 0, usage.Errorf(c, "--disk-reserve: %v", err)
	}
	if n == 0 {
		return -1, nil
	}
	return n, nil
}

// idPattern is what a master may be called: the id stands in logs, metrics, gossip and file names.
var idPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

// checkMasterFlags refuses what the flags alone show to be wrong.
func checkMasterFlags(c *cli.Context) error {
	for _, name := range []string{"id", "data-dir"} {
		if c.String(name) == "" {
			return usage.Errorf(c, "--%s must be given", name)
		}
	}
	if !idPattern.MatchString(c.String("id")) {
		return usage.Errorf(c, "--id %q: use up to 63 letters, digits, dots, dashes and underscores, a letter or digit first", c.String("id"))
	}
	if n := c.Int("bootstrap-expect"); n < 0 || n > 0 && n%2 == 0 {
		return usage.Errorf(c, "--bootstrap-expect %d: a quorum has an odd number of masters, such as 3", n)
	}
	for _, name := range []string{"rpc-port", "gossip-port"} {
		if p := c.Int(name); p < 0 || p > 65535 {
			return usage.Errorf(c, "--%s %d: a port is between 0 (any free one) and 65535", name, p)
		}
	}
	for name, least := range map[string]uint64{"snapshot-threshold": 1, "trailing-logs": 1} {
		if c.Uint64(name) < least {
			return usage.Errorf(c, "--%s %d: at least %d", name, c.Uint64(name), least)
		}
	}
	if d := c.Duration("snapshot-interval"); d < 10*time.Millisecond {
		return usage.Errorf(c, "--snapshot-interval %s: at least 10ms", d)
	}
	for _, addr := range splitList(c.String("join")) {
		if host, port, err := net.SplitHostPort(addr); err != nil || host == "" || port == "" {
			return usage.Errorf(c, "--join %q: give the gossip address of another master, host:port, such as m2:7946", addr)
		}
	}
	return checkProfile(c)
}

func splitList(s string) []string {
	var out []string
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}
