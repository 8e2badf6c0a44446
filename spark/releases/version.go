package releases

import (
	"cmp"
	"strconv"
	"strings"
)

// CompareVersions orders Spark versions: numbers by value, and "4.4.0-SNAPSHOT" (or any suffix) before "4.4.0".
func CompareVersions(a, b string) int {
	numsA, suffixA, _ := strings.Cut(a, "-")
	numsB, suffixB, _ := strings.Cut(b, "-")
	partsA, partsB := strings.Split(numsA, "."), strings.Split(numsB, ".")
	for i := range max(len(partsA), len(partsB)) {
		if d := cmp.Compare(number(partsA, i), number(partsB, i)); d != 0 {
			return d
		}
	}
	switch {
	case suffixA == suffixB:
		return 0
	case suffixA == "":
		return 1
	case suffixB == "":
		return -1
	}
	return cmp.Compare(suffixA, suffixB)
}

// number is the i-th part of a version, -1 where it is missing or no number.
func number(parts []string, i int) int {
	if i >= len(parts) {
		return -1
	}
	n, err := strconv.Atoi(parts[i])
	if err != nil {
		return -1
	}
	return n
}

// minor cuts a version to its feature release: "3.5.7" and "3.5" give "3.5".
func minor(version string) string {
	nums, _, _ := strings.Cut(version, "-")
	parts := strings.SplitN(nums, ".", 3)
	return strings.Join(parts[:min(2, len(parts))], ".")
}
