package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/firesteel/firesteel/rpc/clusterpb"
	"github.com/urfave/cli/v2"
)

func workerCommand() *cli.Command {
	return &cli.Command{
		Name: "worker", Aliases: []string{"workers"}, Usage: "workers",
		Subcommands: []*cli.Command{
			{Name: "list", Aliases: []string{"ls"}, Usage: "all workers, dead ones too until they are forgotten", Flags: []cli.Flag{staleFlag()}, Action: runWorkerList},
			{
				Name: "drain", Usage: "decommission workers: their executors are told to leave, and nothing is placed there any more", ArgsUsage: "ID...",
				Description: "A drained worker gets no work again, also after a failover, until it restarts or is undrained.",
				Action:      runDrain,
			},
			{Name: "undrain", Usage: "let drained workers have work again", ArgsUsage: "ID...", Action: runUndrain},
		},
	}
}

type workersJSON struct {
	Index   uint64       `json:"index"`
	Workers []workerJSON `json:"workers"`
}

func (w *workersJSON) table(t *table) {
	var rows [][]string
	for _, w := range w.Workers {
		rows = append(rows, []string{
			w.ID, w.condition(), t.age(w.Since), fmt.Sprintf("%d/%d", w.CoresUsed, w.Cores), mebibytes(int64(w.MemoryUsedMB)) + "/" + mebibytes(int64(w.MemoryMB)),
			itoa(w.Executors), itoa(w.Drivers), w.Kind, fmt.Sprintf("%s:%d", w.Host, w.Port), w.WebUI, strings.Join(w.Releases, ", "), firstOf(w.Doubt, w.Reason),
		})
	}
	t.rows([]string{"WORKER", "STATE", "FOR", "CORES", "MEMORY", "EXECUTORS", "DRIVERS", "|", "KIND", "ADDRESS", "WEB", "RELEASES", "REASON"}, rows)
}

func firstOf(texts ...string) string {
	for _, s := range texts {
		if s != "" {
			return s
		}
	}
	return ""
}

func runWorkerList(c *cli.Context) error {
	return with(c, 0, 0, "", func(ctx context.Context, cl *client) error {
		reply, err := ask(ctx, cl, func(ctx context.Context, m master) (*clusterpb.ListWorkersReply, error) {
			return m.admin.ListWorkers(ctx, &clusterpb.ListWorkersRequest{Stale: c.Bool("stale")})
		})
		if err != nil {
			return err
		}
		out := &workersJSON{Index: reply.GetIndex(), Workers: []workerJSON{}}
		for _, w := range reply.GetWorkers() {
			out.Workers = append(out.Workers, workerOf(w))
		}
		return show(c, out)
	})
}

// results are those of a command that was given several ids.
type results struct {
	Results []*done `json:"results"`
}

func (r *results) table(t *table) {
	for _, d := range r.Results {
		d.table(t)
	}
}

// each does something to every id, shows what was done, and fails with the first refusal: what comes before it is done.
func each(c *cli.Context, what string, do func(ctx context.Context, cl *client, id string) (*done, error)) error {
	return with(c, 1, -1, what, func(ctx context.Context, cl *client) error {
		out := &results{Results: []*done{}}
		var failed error
		for _, id := range c.Args().Slice() {
			var d *done
			if d, failed = do(ctx, cl, id); failed != nil {
				break
			}
			out.Results = append(out.Results, d)
		}
		if len(out.Results) > 0 {
			if err := show(c, out); err != nil {
				return err
			}
		}
		return failed
	})
}

func runDrain(c *cli.Context) error {
	return each(c, "the ID of a worker", func(ctx context.Context, cl *client, id string) (*done, error) {
		reply, err := ask(ctx, cl, func(ctx context.Context, m master) (*clusterpb.DrainWorkerReply, error) {
			return m.admin.DrainWorker(ctx, &clusterpb.DrainWorkerRequest{Id: id})
		})
		if err != nil {
			return nil, err
		}
		return &done{ID: id, Done: "drained", Note: fmt.Sprintf("%d executors and %d drivers run there still", reply.GetExecutors(), reply.GetDrivers())}, nil
	})
}

func runUndrain(c *cli.Context) error {
	return each(c, "the ID of a worker", func(ctx context.Context, cl *client, id string) (*done, error) {
		_, err := ask(ctx, cl, func(ctx context.Context, m master) (*clusterpb.UndrainWorkerReply, error) {
			return m.admin.UndrainWorker(ctx, &clusterpb.UndrainWorkerRequest{Id: id})
		})
		if err != nil {
			return nil, err
		}
		return &done{ID: id, Done: "undrained"}, nil
	})
}
