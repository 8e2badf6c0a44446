package bench

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// Machine is what the figures were measured on.
type Machine struct {
	Cores     int    `json:"cores"`
	CPU       string `json:"cpu"`
	MemoryMiB int    `json:"memoryMiB"`
	Kernel    string `json:"kernel"`
	Go        string `json:"go"`
}

// ThisMachine describes the machine at hand; what /proc does not tell is left empty.
func ThisMachine() Machine {
	m := Machine{Cores: runtime.NumCPU(), CPU: procField("/proc/cpuinfo", "model name"), Go: runtime.Version()}
	if kb, _, _ := strings.Cut(procField("/proc/meminfo", "MemTotal"), " "); kb != "" {
		n, _ := strconv.Atoi(kb)
		m.MemoryMiB = n >> 10
	}
	if kernel, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.Kernel = strings.TrimSpace(string(kernel))
	}
	return m
}

func (m Machine) String() string {
	return fmt.Sprintf("%d cores (%s), %d MiB, Linux %s, %s", m.Cores, m.CPU, m.MemoryMiB, m.Kernel, m.Go)
}

// Load is the machine's load average at one time.
type Load struct {
	At   time.Time  `json:"at"`
	Mean [3]float64 `json:"mean"` // over 1, 5 and 15 minutes
}

// LoadNow reads the load average.
func LoadNow() Load {
	l := Load{At: time.Now()}
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return l
	}
	fields := strings.Fields(string(text))
	for i := range min(len(l.Mean), len(fields)) {
		l.Mean[i], _ = strconv.ParseFloat(fields[i], 64)
	}
	return l
}

func (l Load) String() string { return fmt.Sprintf("%.2f %.2f %.2f", l.Mean[0], l.Mean[1], l.Mean[2]) }

// procField finds "name : value" in a file of /proc.
func procField(path, name string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		key, value, ok := strings.Cut(line, ":")
		if ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
