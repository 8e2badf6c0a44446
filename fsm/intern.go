package fsm

import "unique"

// intern makes equal builds one string. There are few builds and many records that name one, and comparing two that are
// the same string does not read them, which a scheduling pass over thousands of applications feels.
func intern(build string) string {
	if build == "" {
		return ""
	}
	return unique.Make(build).Value()
}
