package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/firesteel/firesteel/cmd/internal/usage"
	"github.com/firesteel/firesteel/internal/snapfile"
	"github.com/firesteel/firesteel/rpc/clusterpb"
	"github.com/urfave/cli/v2"
)

func snapshotCommand() *cli.Command {
	return &cli.Command{
		Name: "snapshot", Aliases: []string{"snapshots"}, Usage: "the whole state of the cluster in a file",
		Subcommands: []*cli.Command{
			{
				Name: "save", Usage: "write the state, as of now, to a new file", ArgsUsage: "FILE",
				Description: "The cluster goes on meanwhile. The file holds what applications and drivers were given, secrets in their settings too: keep it\n" +
					"as such. It is written whole and checked, or not at all.",
				Flags:  []cli.Flag{staleFlag(), &cli.BoolFlag{Name: "force", Usage: "replace FILE if it is there"}},
				Action: runSave,
			},
			restoreCommand(),
			{Name: "inspect", Usage: "check a file and say what is in it; asks no master", ArgsUsage: "FILE", Action: runInspect},
		},
	}
}

func runSave(c *cli.Context) error {
	return with(c, 1, 1, "a FILE to write", func(ctx context.Context, cl *client) error {
		path := c.Args().First()
		if _, err := os.Lstat(path); err == nil && !c.Bool("force") {
			return usage.Errorf(c, "%s is there already; --force replaces it", path)
		}
		temp, err := os.CreateTemp(filepath.Dir(path), ".clusterctl-snapshot-*") // readable by its owner only
		if err != nil {
			return fmt.Errorf("write a snapshot: %w", err)
		}
		defer os.Remove(temp.Name())
		defer temp.Close()
		cl.patient(c)
		if err := cl.save(ctx, temp, c.Bool("stale")); err != nil {
			return err
		}
		f, err := keep(temp, path)
		if err != nil {
			return err
		}
		return show(c, inspected(path, f))
	})
}

// save streams a snapshot into a file, from the first master that gives all of it.
func (c *client) save(ctx context.Context, file *os.File, stale bool) error {
	_, err := askOnce(ctx, c, func(ctx context.Context, m master) (none, error) {
		// Another master's attempt may have left something.
		if err := errors.Join(file.Truncate(0), rewind(file)); err != nil {
			return none{}, err
		}
		stream, err := m.admin.SaveSnapshot(ctx, &clusterpb.SaveSnapshotRequest{Stale: stale})
		for err == nil {
			var reply *clusterpb.SaveSnapshotReply
			if reply, err = stream.Recv(); err == nil {
				_, err = file.Write(reply.GetPiece())
			}
		}
		if errors.Is(err, io.EOF) {
			return none{}, nil
		}
		return none{}, err
	})
	return err
}

type none struct{}

func rewind(f *os.File) error {
	_, err := f.Seek(0, io.SeekStart)
	return err
}

// keep checks what was written, has it on the disk, and gives it its name.
func keep(temp *os.File, path string) (*snapfile.File, error) {
	if err := rewind(temp); err != nil {
		return nil, err
	}
	f, err := snapfile.Read(temp)
	if err != nil {
		return nil, fmt.Errorf("the snapshot did not arrive whole: %w", err)
	}
	if err := errors.Join(temp.Sync(), os.Rename(temp.Name(), path)); err != nil {
		return nil, fmt.Errorf("write %s: %w", path, err)
	}
	return f, nil
}

func runInspect(c *cli.Context) error {
	if err := firstError(arguments(c, 1, 1, "a FILE"), checkOutput(c)); err != nil {
		return err
	}
	f, err := readSnapshot(c.Args().First())
	if err != nil {
		return err
	}
	return show(c, inspected(c.Args().First(), f))
}

func readSnapshot(path string) (*snapfile.File, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read a snapshot: %w", err)
	}
	defer in.Close()
	f, err := snapfile.Read(in)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

type snapshotJSON struct {
	File      string     `json:"file"`
	ClusterID string     `json:"clusterId"`
	Index     uint64     `json:"index"`
	Term      uint64     `json:"term"`
	Saved     moment     `json:"saved"`
	SavedBy   string     `json:"savedBy"`
	Bytes     int64      `json:"bytes"`
	SHA256    string     `json:"sha256"`
	Digest    string     `json:"digest"` // of the state; masters at this index have the same
	Holds     countsOf   `json:"holds"`
	Sizes     []sizeJSON `json:"sizes"`
}

type countsOf struct {
	Workers          int `json:"workers"`
	Apps             int `json:"apps"`
	Executors        int `json:"executors"` // of live applications that have not ended
	Drivers          int `json:"drivers"`
	WaitingDrivers   int `json:"waitingDrivers"`
	CompletedApps    int `json:"completedApps"`
	CompletedDrivers int `json:"completedDrivers"`
}

type sizeJSON struct {
	Records string `json:"records"`
	Count   int    `json:"count"`
	Bytes   int64  `json:"bytes"` // before compression
}

func inspected(path string, f *snapfile.File) *snapshotJSON {
	s := f.State
	out := &snapshotJSON{
		File: path, ClusterID: f.ClusterID, Index: f.Index, Term: f.Term, Saved: moment(f.SavedMS), SavedBy: f.SavedBy, Bytes: f.Size, SHA256: f.SHA256, Digest: s.Digest(),
		Holds: countsOf{Workers: s.WorkerCount(), Apps: s.AppCount(), Drivers: s.DriverCount(), WaitingDrivers: s.WaitingDriverCount()}, Sizes: []sizeJSON{},
	}
	for w := range s.Workers() {
		for range s.ExecutorsOn(w.ID) {
			out.Holds.Executors++
		}
	}
	for range s.CompletedApps() {
		out.Holds.CompletedApps++
	}
	for range s.CompletedDrivers() {
		out.Holds.CompletedDrivers++
	}
	for _, size := range s.Sizes() {
		out.Sizes = append(out.Sizes, sizeJSON{size.Records, size.Count, size.Bytes})
	}
	slices.SortStableFunc(out.Sizes, func(a, b sizeJSON) int { return int(b.Bytes - a.Bytes) })
	return out
}

func (s *snapshotJSON) table(t *table) {
	t.line("File      %s, %d bytes, sha256 %s", s.File, s.Bytes, s.SHA256)
	t.line("Cluster   %s", s.ClusterID)
	t.line("State     index %d, term %d, saved %s ago by %s", s.Index, s.Term, t.age(s.Saved), s.SavedBy)
	t.line("Workers   %d", s.Holds.Workers)
	t.line("Apps      %d live with %d executors, %d completed", s.Holds.Apps, s.Holds.Executors, s.Holds.CompletedApps)
	t.line("Drivers   %d live, %d of them waiting, %d completed", s.Holds.Drivers, s.Holds.WaitingDrivers, s.Holds.CompletedDrivers)
	if t.wide {
		t.line("")
		var rows [][]string
		for _, size := range s.Sizes {
			rows = append(rows, []string{size.Records, fmt.Sprint(size.Count), fmt.Sprint(size.Bytes)})
		}
		t.rows([]string{"RECORDS", "COUNT", "BYTES"}, rows)
	}
}
