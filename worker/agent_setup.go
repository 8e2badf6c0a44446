package worker

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/firesteel/firesteel/config"
	"github.com/firesteel/firesteel/membership"
)

// chooseID gives the worker's id: the one it was given, the one its data directory has kept, or a new one by Spark's
// pattern (spark.worker.idPattern), which is then kept.
func (w *Worker) chooseID() (string, error) {
	if w.cfg.DataDir == "" && w.cfg.ID != "" {
		return checkID(w.cfg.ID)
	}
	path := filepath.Join(w.cfg.DataDir, "worker-id")
	if w.cfg.DataDir != "" {
		kept, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", fmt.Errorf("read the worker's id: %w", err)
		}
		if id := strings.TrimSpace(string(kept)); id != "" {
			if w.cfg.ID != "" && w.cfg.ID != id {
				return "", fmt.Errorf("data directory %s belongs to worker %s, not to %s: give the right --id or another --data-dir", w.cfg.DataDir, id, w.cfg.ID)
			}
			return checkID(id)
		}
	}
	id, err := config.FormatID(w.cfg.Spark.IDPattern, time.Now().Format("20060102150405"), w.cfg.Spark.Host, w.port)
	if err != nil {
		return "", err
	}
	if id, err = checkID(cmp.Or(w.cfg.ID, id)); err != nil || w.cfg.DataDir == "" {
		return id, err
	}
	if err := os.MkdirAll(w.cfg.DataDir, 0o755); err != nil {
		return "", fmt.Errorf("make the worker's data directory: %w", err)
	}
	if err := os.WriteFile(path, []byte(id+"\n"), 0o644); err != nil {
		return "", fmt.Errorf("keep the worker's id: %w", err)
	}
	return id, nil
}

var errID = errors.New("not a worker id: use letters, digits, dots, dashes and colons, at most 200 of them")

func checkID(id string) (string, error) {
	bad := func(r rune) bool { return r <= ' ' || r == '/' || r == 0x7f }
	if id == "" || len(id) > 200 || strings.ContainsFunc(id, bad) {
		return "", fmt.Errorf("%q: %w", id, errID)
	}
	return id, nil
}

// openGossip makes the worker a member, so that its death is suspected within seconds.
func (w *Worker) openGossip(seeds []string) (*membership.Gossip, error) {
	profile, err := membership.ProfileByName(w.cfg.GossipProfile)
	if err != nil {
		return nil, err
	}
	g, err := membership.Start(membership.Config{
		Label: membership.Label, BindAddr: cmp.Or(w.cfg.Bind, w.cfg.Spark.Host), AdvertiseAddr: w.cfg.Spark.Host, Key: w.cfg.GossipKey, Profile: profile,
		Meta:   membership.Meta{Role: membership.RoleWorker, ID: w.id, Host: w.cfg.Spark.Host, SparkPort: uint16(w.port), WebUIPort: uint16(w.ui.Port())},
		Logger: w.log,
	})
	if err != nil {
		return nil, err
	}
	g.Join(seeds)
	return g, nil
}
