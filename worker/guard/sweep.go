package guard

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// sweepLimit is how long a sweep goes on killing what does not die.
const sweepLimit = 10 * time.Second

// Sweep kills what an earlier life of a worker left behind: all that carry its mark, and the sessions of the children
// recorded in dir whose leader is still the recorded process. It must be called only when that life is known to be
// over, on the machine and in the pid namespace where it was. It gives the number of processes killed.
func Sweep(dir, life string) (int, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("read the records of processes: %w", err)
	}
	var sessions []Kin
	for _, e := range entries {
		var pid int
		var w watch
		if _, err := fmt.Sscanf(e.Name(), "%d-%d-%d", &pid, &w.start, &w.n); err != nil {
			continue
		}
		if s, err := readStat(pid); err == nil && s.start == w.start {
			sessions = append(sessions, Kin{Session: pid, Since: w.start})
		}
	}
	all := Kin{Mark: markOf(life, 0)}
	n := killRounds(sweepLimit, func() []int {
		pids := all.Kill()
		for _, k := range sessions {
			pids = append(pids, k.Kill()...)
		}
		return pids
	})
	return n, nil
}
