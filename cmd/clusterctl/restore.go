package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/firesteel/firesteel/cmd/internal/usage"
	"github.com/firesteel/firesteel/internal/snapfile"
	"github.com/firesteel/firesteel/rpc/clusterpb"
	"github.com/urfave/cli/v2"
)

func restoreCommand() *cli.Command {
	return &cli.Command{
		Name: "restore", Usage: "bring the state of a running cluster to that of a file", ArgsUsage: "FILE",
		Description: "What the file has and the cluster does not know comes back: workers, applications and drivers as they were, and those that\n" +
			"were over. What lives and is in both goes on as it is. What has ended stays ended: nothing runs twice. What lives and is\n" +
			"not in the file is KILLED, unless --keep is given. The lead changes once, as in a failover, and what really runs on the\n" +
			"workers is found out as after one. The masters, their settings and drained workers stay as they are.\n" +
			"A file that is damaged or of another cluster is refused before anything is changed; --check goes no further than that.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "yes", Usage: "do it: without this nothing is changed"},
			&cli.BoolFlag{Name: "check", Usage: "only have the masters say whether they would take the file"},
			&cli.BoolFlag{Name: "keep", Usage: "end nothing: what lives and is not in the file goes on"},
			&cli.BoolFlag{Name: "foreign", Usage: "also a file of another cluster, as after the loss of all masters' disks"},
		},
		Action: runRestore,
	}
}

func runRestore(c *cli.Context) error {
	return with(c, 1, 1, "a FILE", func(ctx context.Context, cl *client) error {
		path := c.Args().First()
		f, err := readSnapshot(path)
		if err != nil {
			return err
		}
		yes := c.Bool("yes") && !c.Bool("check")
		if !yes && !c.Bool("check") {
			return usage.Errorf(c, "this ends what lives and is not in %s (index %d of cluster %s); say --yes, or --check to see whether it would be taken", path, f.Index, f.ClusterID)
		}
		cl.patient(c)
		opts := &clusterpb.RestoreOptions{Confirmed: yes, Foreign: c.Bool("foreign"), Keep: c.Bool("keep")}
		reply, err := askOnce(ctx, cl, func(ctx context.Context, m master) (*clusterpb.RestoreSnapshotReply, error) {
			return restore(ctx, m, path, opts)
		})
		if err != nil {
			return err
		}
		return show(c, restoredOf(f, yes, reply))
	})
}

// restore sends a file.
func restore(ctx context.Context, m master, path string, opts *clusterpb.RestoreOptions) (*clusterpb.RestoreSnapshotReply, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read a snapshot: %w", err)
	}
	defer in.Close()
	stream, err := m.admin.RestoreSnapshot(ctx)
	if err != nil {
		return nil, err
	}
	send := func(r *clusterpb.RestoreSnapshotRequest) error {
		if err := stream.Send(r); !errors.Is(err, io.EOF) { // EOF: the master has answered already
			return err
		}
		return nil
	}
	if err := send(&clusterpb.RestoreSnapshotRequest{Message: &clusterpb.RestoreSnapshotRequest_Options{Options: opts}}); err != nil {
		return nil, err
	}
	buf := make([]byte, 256<<10)
	for {
		n, err := in.Read(buf)
		if n > 0 {
			if err := send(&clusterpb.RestoreSnapshotRequest{Message: &clusterpb.RestoreSnapshotRequest_Piece{Piece: buf[:n]}}); err != nil {
				return nil, err
			}
		}
		if errors.Is(err, io.EOF) {
			return stream.CloseAndRecv()
		}
		if err != nil {
			return nil, fmt.Errorf("read a snapshot: %w", err)
		}
	}
}

type restoredJSON struct {
	ClusterID    string    `json:"clusterId"` // of the file
	From         uint64    `json:"from"`      // its index
	Restored     bool      `json:"restored"`  // false: it was only checked, and would be taken
	Index        uint64    `json:"index"`     // at which it was restored
	Added        addedJSON `json:"added"`
	EndedApps    int32     `json:"endedApps"`
	EndedDrivers int32     `json:"endedDrivers"`
}

type addedJSON struct {
	Workers          int32 `json:"workers"`
	Apps             int32 `json:"apps"`
	Drivers          int32 `json:"drivers"`
	CompletedApps    int32 `json:"completedApps"`
	CompletedDrivers int32 `json:"completedDrivers"`
}

func restoredOf(f *snapfile.File, done bool, r *clusterpb.RestoreSnapshotReply) *restoredJSON {
	return &restoredJSON{
		ClusterID: f.ClusterID, From: f.Index, Restored: done, Index: r.GetIndex(), EndedApps: r.GetEndedApps(), EndedDrivers: r.GetEndedDrivers(),
		Added: addedJSON{r.GetWorkers(), r.GetApps(), r.GetDrivers(), r.GetCompletedApps(), r.GetCompletedDrivers()},
	}
}

func (r *restoredJSON) table(t *table) {
	if !r.Restored {
		t.line("The file is whole, and would be taken. Nothing was changed.")
		return
	}
	t.line("Restored at index %d, from index %d of cluster %s", r.Index, r.From, r.ClusterID)
	a := r.Added
	t.line("Added     %d workers, %d apps, %d drivers; of those that are over: %d apps, %d drivers", a.Workers, a.Apps, a.Drivers, a.CompletedApps, a.CompletedDrivers)
	t.line("Ended     %d apps, %d drivers", r.EndedApps, r.EndedDrivers)
}
