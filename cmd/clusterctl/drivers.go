package main

import (
	"context"

	"github.com/firesteel/firesteel/rpc/clusterpb"
	"github.com/urfave/cli/v2"
)

func driverCommand() *cli.Command {
	return &cli.Command{
		Name: "driver", Aliases: []string{"drivers"}, Usage: "drivers in cluster mode",
		Subcommands: []*cli.Command{
			submitCommand(),
			{Name: "list", Aliases: []string{"ls"}, Usage: "live drivers; --all also those that are over and remembered", Flags: []cli.Flag{staleFlag(), allFlag()}, Action: runDriverList},
			{Name: "show", Usage: "one driver, by its id or that of one of its runs", ArgsUsage: "ID", Flags: []cli.Flag{staleFlag()}, Action: runDriverShow},
			{Name: "kill", Usage: "end drivers, and their applications with them", ArgsUsage: "ID...", Action: runDriverKill},
			{
				Name: "wait", Usage: "wait until a driver is over, and exit with its result", ArgsUsage: "ID",
				Description: "Failovers are waited out. Exit codes: 0 FINISHED, 10 FAILED, 11 KILLED, 12 ERROR, 13 not known any more, 5 --wait-timeout.",
				Flags:       []cli.Flag{waitTimeoutFlag()}, Action: runDriverWait,
			},
		},
	}
}

type driversJSON struct {
	Index   uint64       `json:"index"`
	Drivers []driverJSON `json:"drivers"`
}

func (d *driversJSON) table(t *table) {
	var rows [][]string
	for _, d := range d.Drivers {
		rows = append(rows, []string{
			d.ID, d.State, t.age(d.Submitted), itoa(d.Cores), mebibytes(int64(d.MemoryMB)), d.Worker, d.MainClass, d.note(), d.Run, d.Release, yesNo(d.Supervise),
		})
	}
	t.rows([]string{"DRIVER", "STATE", "AGE", "CORES", "MEMORY", "WORKER", "MAIN CLASS", "NOTE", "|", "RUN", "RELEASE", "SUPERVISED"}, rows)
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func runDriverList(c *cli.Context) error {
	return with(c, 0, 0, "", func(ctx context.Context, cl *client) error {
		reply, err := ask(ctx, cl, func(ctx context.Context, m master) (*clusterpb.ListDriversReply, error) {
			return m.admin.ListDrivers(ctx, &clusterpb.ListDriversRequest{Stale: c.Bool("stale")})
		})
		if err != nil {
			return err
		}
		out := &driversJSON{Index: reply.GetIndex(), Drivers: []driverJSON{}}
		for _, d := range reply.GetDrivers() {
			if d.GetEndedMs() == 0 || c.Bool("all") {
				out.Drivers = append(out.Drivers, driverOf(d))
			}
		}
		return show(c, out)
	})
}

type driverShownJSON struct {
	Index uint64 `json:"index"`
	driverJSON
}

func (d *driverShownJSON) table(t *table) { d.driverJSON.table(t) }

func (d driverJSON) table(t *table) {
	t.line("Driver      %s", d.ID)
	t.line("State       %s", d.State)
	if len(d.Runs) > 1 {
		t.line("Run         %s, the %d. on a worker", d.Run, len(d.Runs))
	}
	t.line("Main class  %s", cell(d.MainClass))
	t.line("Needs       %d cores, %s, %s", d.Cores, mebibytes(int64(d.MemoryMB)), d.Release)
	t.line("Supervised  %s", yesNo(d.Supervise))
	t.line("Worker      %s", cell(d.Worker))
	t.line("Submitted   %s ago", t.age(d.Submitted))
	if d.Started != 0 {
		t.line("Started     %s ago", t.age(d.Started))
	}
	if d.Ended != 0 {
		t.line("Ended       %s ago", t.age(d.Ended))
	}
	for _, a := range d.Apps {
		t.line("Application %s", a)
	}
	if d.WaitsFor != "" {
		t.line("Waits for   %s", d.WaitsFor)
	}
	if d.KillAsked && d.Ended == 0 {
		t.line("Note        it is being killed")
	}
	if d.Exception != "" {
		t.line("Exception\n%s", d.Exception)
	}
}

func runDriverShow(c *cli.Context) error {
	return with(c, 1, 1, "the ID of a driver", func(ctx context.Context, cl *client) error {
		reply, err := ask(ctx, cl, func(ctx context.Context, m master) (*clusterpb.ShowDriverReply, error) {
			return m.admin.ShowDriver(ctx, &clusterpb.ShowDriverRequest{Id: c.Args().First(), Stale: c.Bool("stale")})
		})
		if err != nil {
			return err
		}
		return show(c, &driverShownJSON{Index: reply.GetIndex(), driverJSON: driverOf(reply.GetDriver())})
	})
}

func runDriverKill(c *cli.Context) error {
	return each(c, "the ID of a driver", func(ctx context.Context, cl *client, id string) (*done, error) {
		reply, err := ask(ctx, cl, func(ctx context.Context, m master) (*clusterpb.KillDriverReply, error) {
			return m.admin.KillDriver(ctx, &clusterpb.KillDriverRequest{Id: id})
		})
		if err != nil {
			return nil, err
		}
		d := &done{ID: id, Done: "asked to end", Note: "driver wait " + id + " tells when it has"}
		if reply.GetWasWaiting() {
			d = &done{ID: id, Done: "killed"}
		}
		return d, nil
	})
}
