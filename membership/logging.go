package membership

import (
	"bytes"
	"context"
	"log"
	"log/slog"
	"sync"
	"time"
)

// libraryLogger makes the library's chatter debug output. Only what an operator must act on is a warning: gossip that cannot
// be decrypted or carries another label, told once a minute.
func libraryLogger(logger *slog.Logger) *log.Logger {
	return log.New(&logWriter{logger: logger.With("component", "memberlist")}, "", 0)
}

const warnEvery = time.Minute

type logWriter struct {
	logger *slog.Logger

	mu     sync.Mutex
	warned time.Time
}

// foreign are parts of the library's messages about gossip that is not ours.
var foreign = [][]byte{[]byte("could decrypt"), []byte("Decrypt"), []byte("decrypt"), []byte("encrypt"), []byte("label")}

// Write implements io.Writer for log.Logger: one message each.
func (w *logWriter) Write(line []byte) (int, error) {
	level := slog.LevelDebug
	if isForeign(line) && w.mayWarn() {
		level = slog.LevelWarn
	}
	if w.logger.Enabled(context.Background(), level) {
		w.logger.Log(context.Background(), level, string(bytes.TrimSpace(line)))
	}
	return len(line), nil
}

func isForeign(line []byte) bool {
	for _, part := range foreign {
		if bytes.Contains(line, part) {
			return true
		}
	}
	return false
}

func (w *logWriter) mayWarn() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if time.Since(w.warned) < warnEvery {
		return false
	}
	w.warned = time.Now()
	return true
}
