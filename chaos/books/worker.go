package books

import (
	"context"
	"fmt"
)

// WorkerBooks is the answer to GET /json/ of a worker (Spark's JsonProtocol.writeWorkerState): what it runs by its own
// account, to be compared with what the masters believe.
type WorkerBooks struct {
	ID         string           `json:"id"`
	CoresUsed  int              `json:"coresused"`
	MemoryUsed int              `json:"memoryused"`
	Executors  []WorkerExecutor `json:"executors"`
}

// WorkerExecutor is one executor that a worker runs.
type WorkerExecutor struct {
	App    string `json:"appid"`
	ID     int    `json:"id"`
	Memory int    `json:"memory"`
}

// ReadWorker asks a worker's web UI, http://host:port.
func ReadWorker(ctx context.Context, web string) (WorkerBooks, error) {
	var w WorkerBooks
	return w, get(ctx, web+"/json/", &w)
}

// Agrees tells where a worker's own account and a master's differ.
func (b Books) Agrees(w WorkerBooks) error {
	m, ok := b.Worker(w.ID)
	if !ok {
		return fmt.Errorf("worker %s is not in the books of %s", w.ID, b.URL)
	}
	if m.CoresUsed != w.CoresUsed || m.MemoryUsed != w.MemoryUsed {
		return fmt.Errorf("worker %s runs %v on %d cores and %d MiB, the books of %s say %d cores and %d MiB",
			w.ID, w.Executors, w.CoresUsed, w.MemoryUsed, b.URL, m.CoresUsed, m.MemoryUsed)
	}
	return nil
}
