package bench

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// All is the whole table. What idles comes first and what heats the machine last, so that no row pays for another.
func All() []Row {
	return []Row{
		{
			Name: "memory-idle", Title: "resident memory of an idle master and an idle worker",
			Goal: "master <= 60 MB, worker <= 30 MB", Limit: 10 * time.Minute, Run: memoryIdleRow,
		},
		{
			Name: "memory-loaded", Title: "resident memory of a master with 1,000 workers and 10,000 executors",
			Goal: "<= 250 MB", Limit: 15 * time.Minute, Run: memoryLoadedRow,
		},
		{
			Name: "pass", Title: "one schedule pass after one change, at 5,000 workers and 20,000 running applications",
			Goal: "<= 5 ms, and no more than twice that at 500 workers", Limit: 5 * time.Minute, Run: passRow,
		},
		{
			Name: "pass-drivers", Title: "one schedule pass after one change, while drivers wait for what no worker has",
			Goal: "<= 5 ms", Limit: 5 * time.Minute, Run: passDriversRow,
		},
		{
			Name: "kill", Title: "SIGKILL of the leader's process -> the first registration accepted through a surviving master",
			Goal: "p50 <= 100 ms, p99 <= 1.5 s", Limit: 15 * time.Minute, Run: killRow,
		},
		{
			Name: "freeze", Title: "SIGSTOP of the leader -> the first registration accepted through a surviving master",
			Goal: "p50 <= 1.1 s, p99 <= 1.8 s", Limit: 10 * time.Minute, Run: freezeRow,
		},
		{
			Name: "drop", Title: "the leader's packets dropped -> the first registration accepted through a surviving master",
			Goal: "p50 <= 1.1 s, p99 <= 1.8 s", Limit: 10 * time.Minute, Run: dropRow,
		},
		{
			Name: "handover", Title: "SIGTERM of the leader under a stream of registrations",
			Goal: "p99 <= 100 ms, no accepted request lost", Limit: 10 * time.Minute, Run: handoverRow,
		},
		{
			Name: "worker-freeze", Title: "SIGSTOP of a worker -> DEAD, and the last executor given to it",
			Goal: "p99 <= 4 s; no new executor on it after 2 s", Limit: 20 * time.Minute, Run: workerFreezeRow,
		},
		{
			Name: "worker-drop", Title: "a worker's packets dropped -> DEAD, and the last executor given to it",
			Goal: "p99 <= 4 s; no new executor on it after 2 s", Limit: 20 * time.Minute, Run: workerDropRow,
		},
		{
			Name: "job", Title: "a small job submitted at the instant of a SIGKILL of the leader, against a calm one",
			Goal: "<= 0.5 s longer, medians", Limit: 20 * time.Minute, Run: jobRow,
		},
		{
			Name: "churn-100", Title: "applications that come and go over spark://, 100 simulated workers, warm",
			Goal: ">= the original without persistence", Limit: 5 * time.Minute, Run: churn100.row,
		},
		{
			Name: "churn-1000", Title: "applications that come and go over spark://, 1,000 simulated workers, warm",
			Goal: ">= 10x the original without persistence", Limit: 10 * time.Minute, Run: churn1000.row,
		},
		{
			Name: "churn-kept", Title: "applications that come and go beside 3,000 that are kept, 1,000 simulated workers",
			Goal: ">= 10x the original without persistence", Limit: 20 * time.Minute, Run: churnHeld.row,
		},
		{
			Name: "submit-rest", Title: "drivers submitted by REST, that nobody runs: create -> answered with an id; through all three masters",
			Goal: ">= the original without persistence", Limit: 15 * time.Minute, Run: submitRow(submitREST),
		},
		{
			Name: "submit-rpc", Title: "drivers submitted by Spark's RPC, that nobody runs: asked -> answered with an id; through all three masters",
			Goal: ">= the original without persistence", Limit: 15 * time.Minute, Run: submitRow(submitRPC),
		},
		{
			Name: "submit-run", Title: "drivers submitted, launched at simulated workers and reported FINISHED, warm",
			Goal: ">= the original with ZooKeeper, which survives what three masters do", Limit: 20 * time.Minute, Run: submitRow(submitRun),
		},
		{
			Name: "submit-status", Title: "GET status while 5,000 drivers wait for more than any of 100 simulated workers has, through all three masters",
			Goal: ">= the original", Limit: 10 * time.Minute, Run: statusRow,
		},
		{
			Name: "busy", Title: "busy, not dead: more spinning processes than cores",
			Goal: "no worker declared dead, no leader change", Limit: 30 * time.Minute, Run: busyRow,
		},
	}
}

// Select gives the rows of those names, or whose names begin so ("churn"), in the table's order; "" is all.
func Select(rows []Row, names string) ([]Row, error) {
	if names == "" {
		return rows, nil
	}
	chosen := map[string]bool{}
	for name := range strings.SplitSeq(names, ",") {
		found := false
		for _, r := range rows {
			if r.Name == name || strings.HasPrefix(r.Name, name+"-") {
				chosen[r.Name], found = true, true
			}
		}
		if !found {
			return nil, fmt.Errorf("%w: there is no row %q; there are %s", ErrOptions, name, strings.Join(Names(rows), ", "))
		}
	}
	return slices.DeleteFunc(slices.Clone(rows), func(r Row) bool { return !chosen[r.Name] }), nil
}

// Names are the names of rows.
func Names(rows []Row) []string {
	var all []string
	for _, r := range rows {
		all = append(all, r.Name)
	}
	return all
}
