package main

import (
	"context"
	"strconv"

	"github.com/firesteel/firesteel/rpc/clusterpb"
	"github.com/urfave/cli/v2"
)

func appCommand() *cli.Command {
	return &cli.Command{
		Name: "app", Aliases: []string{"apps"}, Usage: "applications",
		Subcommands: []*cli.Command{
			{Name: "list", Aliases: []string{"ls"}, Usage: "live applications; --all also those that are over and remembered", Flags: []cli.Flag{staleFlag(), allFlag()}, Action: runAppList},
			{Name: "show", Usage: "one application, its executors, and what it waits for", ArgsUsage: "ID", Flags: []cli.Flag{staleFlag()}, Action: runAppShow},
			{Name: "kill", Usage: "end applications as KILLED; their drivers are told", ArgsUsage: "ID...", Action: runAppKill},
		},
	}
}

func allFlag() cli.Flag {
	return &cli.BoolFlag{Name: "all", Usage: "also those that are over"}
}

type appsJSON struct {
	Index uint64    `json:"index"`
	Apps  []appJSON `json:"apps"`
}

func (a *appsJSON) table(t *table) {
	var rows [][]string
	for _, a := range a.Apps {
		rows = append(rows, []string{
			a.ID, a.Name, a.User, a.State, a.coresText(), itoa(a.Executors), t.age(a.Submitted), a.Release, a.Driver, a.DriverID, a.UI, firstLine(a.Message),
		})
	}
	t.rows([]string{"APP", "NAME", "USER", "STATE", "CORES", "EXECUTORS", "AGE", "|", "RELEASE", "DRIVER", "STARTED BY", "UI", "MESSAGE"}, rows)
}

func runAppList(c *cli.Context) error {
	return with(c, 0, 0, "", func(ctx context.Context, cl *client) error {
		reply, err := ask(ctx, cl, func(ctx context.Context, m master) (*clusterpb.ListAppsReply, error) {
			return m.admin.ListApps(ctx, &clusterpb.ListAppsRequest{Stale: c.Bool("stale")})
		})
		if err != nil {
			return err
		}
		out := &appsJSON{Index: reply.GetIndex(), Apps: []appJSON{}}
		for _, a := range reply.GetApps() {
			if a.GetEndedMs() == 0 || c.Bool("all") {
				out.Apps = append(out.Apps, appOf(a))
			}
		}
		return show(c, out)
	})
}

type appShownJSON struct {
	Index uint64 `json:"index"`
	appJSON
	Executors []executorJSON `json:"executors"` // also the last ones that have ended
	Waiting   []waitingJSON  `json:"waiting"`
}

func (a *appShownJSON) table(t *table) {
	t.line("Application %s", a.ID)
	t.line("Name        %s", a.Name)
	t.line("User        %s", a.User)
	t.line("State       %s%s", a.State, because(firstLine(a.Message)))
	t.line("Cores       %s, %s for each executor", a.coresText(), mebibytes(int64(a.MemoryMB)))
	t.line("Submitted   %s ago", t.age(a.Submitted))
	if a.Ended != 0 {
		t.line("Ended       %s ago", t.age(a.Ended))
	}
	t.line("Needs       %s", a.Release)
	t.line("Driver      %s%s", a.Driver, because(a.DriverID))
	t.line("UI          %s", cell(a.UI))
	t.line("")
	var rows [][]string
	for _, e := range a.Executors {
		exit := ""
		if e.ExitStatus != nil {
			exit = itoa(*e.ExitStatus)
		}
		rows = append(rows, []string{
			strconv.Itoa(int(e.ID)), e.State, t.age(e.Changed), e.Worker, itoa(e.Cores), mebibytes(int64(e.MemoryMB)), exit, firstLine(e.Message), itoa(e.Profile), e.Host,
		})
	}
	t.rows([]string{"EXECUTOR", "STATE", "FOR", "WORKER", "CORES", "MEMORY", "EXIT", "MESSAGE", "|", "PROFILE", "HOST"}, rows)
	if len(a.Waiting) > 0 {
		t.line("")
		waitingRows(t, a.Waiting)
	}
}

func runAppShow(c *cli.Context) error {
	return with(c, 1, 1, "the ID of an application", func(ctx context.Context, cl *client) error {
		reply, err := ask(ctx, cl, func(ctx context.Context, m master) (*clusterpb.ShowAppReply, error) {
			return m.admin.ShowApp(ctx, &clusterpb.ShowAppRequest{Id: c.Args().First(), Stale: c.Bool("stale")})
		})
		if err != nil {
			return err
		}
		out := &appShownJSON{Index: reply.GetIndex(), appJSON: appOf(reply.GetApp()), Executors: []executorJSON{}, Waiting: waitingOf(reply.GetWaiting())}
		for _, e := range reply.GetExecutors() {
			out.Executors = append(out.Executors, executorOf(e))
		}
		return show(c, out)
	})
}

func runAppKill(c *cli.Context) error {
	return each(c, "the ID of an application", func(ctx context.Context, cl *client, id string) (*done, error) {
		_, err := ask(ctx, cl, func(ctx context.Context, m master) (*clusterpb.KillAppReply, error) {
			return m.admin.KillApp(ctx, &clusterpb.KillAppRequest{Id: id})
		})
		if err != nil {
			return nil, err
		}
		return &done{ID: id, Done: "killed"}, nil
	})
}
