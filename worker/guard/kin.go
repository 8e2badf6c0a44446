package guard

import (
	"strconv"
	"strings"
	"time"
)

// variable marks children, as VARIABLE=<life>/<number of the child>.
const variable = "FIRESTEEL_KIN"

// Mark is the value by which a child and all its descendants are known.
type Mark string

// Env is the mark as an environment has it.
func (m Mark) Env() string { return variable + "=" + string(m) }

// markOf is that of a life's n-th child; n is 0 for all of them.
func markOf(life string, n uint64) Mark {
	if n == 0 {
		return Mark(life + "/")
	}
	return Mark(life + "/" + strconv.FormatUint(n, 10))
}

// covers tells whether a process's value is this mark, or one of this life.
func (m Mark) covers(value string) bool {
	return m != "" && (value == string(m) || strings.HasSuffix(string(m), "/") && strings.HasPrefix(value, string(m)))
}

// Kin are the processes of one child, or of all children of one life.
type Kin struct {
	// Mark finds them wherever they went; "" finds none.
	Mark Mark
	// Session is that of the child, which leads it; 0 if it is not to count. It finds those that wiped their environment.
	Session int
	// Since is the start time of the child, or of the worker, in clock ticks: kin is never older.
	Since uint64
	// Spared is a process that is not killed, such as the child itself while it is being waited for; 0 for none.
	Spared int
}

// Kill sends SIGKILL to every live process of these kin, and gives the pids.
func (k Kin) Kill() []int {
	var killed []int
	for _, s := range processes() {
		if s.pid != k.Spared && s.live() && s.start >= k.Since && k.has(s) && killIf(s.pid, func(now stat) bool { return now.start == s.start }) {
			killed = append(killed, s.pid)
		}
	}
	return killed
}

func (k Kin) has(s stat) bool {
	if k.Session != 0 && s.session == k.Session {
		return true
	}
	if k.Mark == "" {
		return false
	}
	value, ok := environmentOf(s.pid, variable)
	return ok && k.Mark.covers(value)
}

// KillAll kills until two looks in a row find nobody: a fork may slip between listing and killing. It gives up after
// limit, since a process may hang in the kernel, and gives the number of those killed.
func (k Kin) KillAll(limit time.Duration) int {
	return killRounds(limit, k.Kill)
}

func killRounds(limit time.Duration, kill func() []int) int {
	seen := map[int]bool{}
	deadline := Now().Add(limit)
	for quiet := 0; quiet < 2; {
		pids := kill()
		quiet++
		for _, pid := range pids {
			seen[pid], quiet = true, 0
		}
		if quiet == 0 {
			if Now() > deadline {
				break
			}
			time.Sleep(5 * time.Millisecond) // they need a moment to die
		}
	}
	return len(seen)
}
