package main

import (
	"context"

	"github.com/firesteel/firesteel/rpc/clusterpb"
	"github.com/urfave/cli/v2"
)

func mastersCommand() *cli.Command {
	return &cli.Command{
		Name: "masters", Aliases: []string{"master"}, Usage: "the masters of the quorum",
		Subcommands: []*cli.Command{
			{Name: "list", Aliases: []string{"ls"}, Usage: "who votes, who leads, who is behind", Flags: []cli.Flag{staleFlag()}, Action: runMastersList},
			{
				Name: "remove", Usage: "take a master out for good: its process ends, and it comes back only with an empty --data-dir", ArgsUsage: "ID",
				Flags:  []cli.Flag{&cli.BoolFlag{Name: "force", Usage: "also where the rest may be no quorum: such a cluster cannot decide anything any more"}},
				Action: runMastersRemove,
			},
			{Name: "transfer-leadership", Usage: "hand the lead to a voter; without ID to the one that is furthest", ArgsUsage: "[ID]", Action: runTransfer},
		},
	}
}

type mastersJSON struct {
	Leader  string       `json:"leader"`
	Term    uint64       `json:"term"`
	Stale   bool         `json:"stale"`
	Masters []masterJSON `json:"masters"`
}

func (m *mastersJSON) table(t *table) { masterRows(t, m.Masters) }

func runMastersList(c *cli.Context) error {
	return with(c, 0, 0, "", func(ctx context.Context, cl *client) error {
		best, failed := cl.overview(ctx, c.Bool("stale"))
		switch {
		case best == nil:
			return noMaster(failed, false, cl.timeout)
		case best.GetStale() && !c.Bool("stale"):
			return exit(exitUnavailable, "no leader could be asked (%s); --stale shows what %s knows", best.GetStaleReason(), best.GetAnsweredBy())
		}
		s := statusOf(best)
		return show(c, &mastersJSON{Leader: s.Leader, Term: s.Term, Stale: s.Stale, Masters: s.Masters})
	})
}

// done is the result of a command that has nothing to show but that it was carried out.
type done struct {
	ID   string `json:"id"`
	Done string `json:"done"` // what was done
	Note string `json:"note"`
}

func (d *done) table(t *table) {
	if t.line("%s: %s", d.ID, d.Done); d.Note != "" {
		t.line("%s", d.Note)
	}
}

func runMastersRemove(c *cli.Context) error {
	return with(c, 1, 1, "the ID of a master", func(ctx context.Context, cl *client) error {
		id := c.Args().First()
		_, err := ask(ctx, cl, func(ctx context.Context, m master) (*clusterpb.RemoveMasterReply, error) {
			return m.quorum.RemoveMaster(ctx, &clusterpb.RemoveMasterRequest{Id: id, Force: c.Bool("force")})
		})
		if err != nil {
			return err
		}
		return show(c, &done{ID: id, Done: "removed", Note: "Its process ends. To use that host again, start a master with an empty --data-dir."})
	})
}

func runTransfer(c *cli.Context) error {
	return with(c, 0, 1, "", func(ctx context.Context, cl *client) error {
		// Without an id a second request would hand the lead on once more.
		reply, err := askOnce(ctx, cl, func(ctx context.Context, m master) (*clusterpb.TransferLeadershipReply, error) {
			return m.quorum.TransferLeadership(ctx, &clusterpb.TransferLeadershipRequest{Id: c.Args().First()})
		})
		if err != nil {
			return err
		}
		return show(c, &done{ID: reply.GetLeaderId(), Done: "leads"})
	})
}

// with does what every command that asks begins with.
func with(c *cli.Context, least, most int, what string, run func(context.Context, *client) error) error {
	if err := firstError(arguments(c, least, most, what), checkOutput(c)); err != nil {
		return err
	}
	cl, err := connect(c)
	if err != nil {
		return err
	}
	defer cl.close()
	return run(c.Context, cl)
}
