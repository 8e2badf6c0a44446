package worker

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// cleanBlocks deletes what the ended executors of an application left in their block directories and nobody serves: all but
// shuffle files (Spark: Worker tells its shuffle service of every executor that ended, which then does so,
// spark.storage.cleanupFilesAfterExecutorExit). A shuffle service in a process of its own cannot be told, and which
// directory was whose cannot be seen from outside; so it is done when no executor of the application runs here any more.
func (e *Executors) cleanBlocks(appID string) {
	if !e.cfg.Blocks.Clean {
		return
	}
	launched, idle := e.appState(appID)
	if !idle {
		return
	}
	var dirs []string
	for _, dir := range e.dirs.of(appID) {
		found, _ := filepath.Glob(filepath.Join(dir, "blockmgr-*")) // the pattern is right
		dirs = append(dirs, found...)
	}
	// Executors that are launched from now on make directories that are not in the list.
	if now, idle := e.appState(appID); now != launched || !idle {
		return
	}
	n := 0
	for _, dir := range dirs {
		n += e.cleanBlockDir(dir)
	}
	if n > 0 {
		e.log.Info("removed files of ended executors that nobody serves", "app", appID, "files", n)
	}
}

// appState gives the order of the application's last launch, and tells whether none of its executors runs.
func (e *Executors) appState(appID string) (launched int, idle bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	idle = true
	for key, ent := range e.entries {
		if key.AppID == appID {
			launched = max(launched, ent.seq)
			idle = idle && ent.info.Report.State.Final()
		}
	}
	return launched, idle
}

// cleanBlockDir goes by ExternalShuffleBlockResolver.deleteNonShuffleServiceServedFiles.
func (e *Executors) cleanBlockDir(dir string) (removed int) {
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name := d.Name()
		if strings.HasSuffix(name, ".index") || strings.HasSuffix(name, ".data") || e.cfg.Blocks.KeepRDD && strings.HasPrefix(name, "rdd_") {
			return nil
		}
		if err := os.Remove(path); err != nil {
			return err
		}
		removed++
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		e.log.Warn("files of ended executors stay", "dir", dir, "error", err)
	}
	return removed
}
