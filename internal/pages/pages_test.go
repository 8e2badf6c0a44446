package pages

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"testing"
)

var rssFile = regexp.MustCompile(`RssFile:\s+(\d+) kB`)

// resident is how much of files this process has in memory, in KiB.
func resident(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	m := rssFile.FindSubmatch(status)
	if m == nil {
		t.Skip("the kernel does not tell RssFile")
	}
	n, err := strconv.Atoi(string(m[1]))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

var written = []int{1, 2, 3} // in a mapping that may be written

func TestDrop(t *testing.T) {
	written[1] = 7
	before := resident(t)
	if err := Drop(); err != nil {
		t.Fatal(err)
	}
	if after := resident(t); after >= before {
		t.Errorf("%d KiB of files were resident, and %d are", before, after)
	}
	if got := fmt.Sprint(written); got != "[1 7 3]" {
		t.Errorf("what was written is %s", got)
	}
}

func TestConstant(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]bool{
		"00400000-01000000 r-xp 00000000 fe:00 1234                       /bin/it": true,
		"01000000-02000000 r--p 00c00000 fe:00 1234                       /bin/it": true,
		"02000000-02100000 rw-p 01c00000 fe:00 1234                       /bin/it": false,
		"02000000-02100000 ---p 01c00000 fe:00 1234                       /bin/it": false,
		"7f0000000000-7f0000001000 r-xp 00000000 fe:00 99                 /lib/x":  false,
		"c000000000-c000400000 rw-p 00000000 00:00 0":                              false,
		"nonsense": false,
		"":         false,
	} {
		if _, _, ok := constant(line, "/bin/it"); ok != want {
			t.Errorf("%q: %v", line, ok)
		}
	}
}
