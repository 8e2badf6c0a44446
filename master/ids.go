package master

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/firesteel/firesteel/config"
	"github.com/firesteel/firesteel/fsm"
)

// requestID names one request of a client, so that a retry through another leader is known again.
func requestID() string { return rand.Text() }

// idTime is the time in ids: Master.newApplicationId's yyyyMMddHHmmss in the zone of this process.
func idTime(t time.Time) string { return t.Format("20060102150405") }

var errIDPattern = errors.New("the number of an id pattern must be decimal, without grouping, padded with zeros or not at all")

// idParts splits a pattern of java.util.Formatter around its number, which only the state machine knows. The place of the
// number is where two formatted numbers of the same length differ.
func idParts(pattern, at string) (fsm.IDParts, error) {
	const digits = 12
	ones, err := config.FormatID(pattern, at, int64(111111111111))
	if err != nil {
		return fsm.IDParts{}, err
	}
	twos, err := config.FormatID(pattern, at, int64(222222222222))
	if err != nil {
		return fsm.IDParts{}, err
	}
	first := 0
	for first < len(ones) && first < len(twos) && ones[first] == twos[first] {
		first++
	}
	if len(ones) < first+digits || len(ones) != len(twos) {
		return fsm.IDParts{}, fmt.Errorf("id pattern %q: %w", pattern, errIDPattern)
	}
	p := fsm.IDParts{Prefix: ones[:first], Suffix: ones[first+digits:]}
	short, err := config.FormatID(pattern, at, int64(7))
	if err != nil {
		return fsm.IDParts{}, err
	}
	p.Width = len(short) - len(p.Prefix) - len(p.Suffix)
	if short != fmt.Sprintf("%s%0*d%s", p.Prefix, p.Width, 7, p.Suffix) {
		return fsm.IDParts{}, fmt.Errorf("id pattern %q: %w", pattern, errIDPattern)
	}
	return p, nil
}

// idCache keeps the parts of the ids of one second: to split a pattern is dear, and many applications come in a second.
type idCache struct {
	mu          sync.Mutex
	pattern, to string
	parts       fsm.IDParts
}

func (c *idCache) at(pattern string, t time.Time) (fsm.IDParts, error) {
	to := idTime(t)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pattern == pattern && c.to == to {
		return c.parts, nil
	}
	parts, err := idParts(pattern, to)
	if err != nil {
		return fsm.IDParts{}, err
	}
	c.pattern, c.to, c.parts = pattern, to, parts
	return parts, nil
}

// nameAsID is spark.master.useAppNameAsAppId.enabled: lower case, without white space.
func nameAsID(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || r == 0 || r == '/' {
			return -1
		}
		return r
	}, strings.ToLower(name))
}
