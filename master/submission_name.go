package master

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/firesteel/firesteel/spark/messages"
	"github.com/firesteel/firesteel/spark/wire"
	"github.com/firesteel/firesteel/web/submission"
)

// submissionName is what a submission is known by: while it is remembered, no second driver comes of another one with the
// same key.
type submissionName struct {
	key  string
	keep time.Duration
}

const (
	// userKeyFor is how long a key that a client has given stands for its first driver.
	userKeyFor = 24 * time.Hour
	// ownKeyFor is how long a submission is recognised that Spark's own client sends more than once by itself: to every
	// master of its list at once, or to the next one when the first did not answer. Its patience is 10 s for each.
	ownKeyFor = 10 * time.Minute
	// undatedKeyFor is the same for an RPC client that does not date what it says: it is known by its address alone, which another
	// process may be given soon. It asks once, with a patience of 10 s, and a follower may hold that for submissionHold.
	undatedKeyFor = 20 * time.Second
)

// submitTime is set by spark-submit, in milliseconds. No two submissions of the same client have it in common.
const submitTime = "spark.app.submitTime"

// namesOf names a REST request: by the client's key; else, where spark-submit has dated it, by all that it says. Any other
// request without a key is a submission of its own.
func namesOf(key string, r *submission.Request) submissionName {
	switch {
	case key != "":
		return userKey(key)
	case r.Properties[submitTime] != "":
		// A Request is text, lists and maps of text, and maps are written in order: it cannot fail, and is the same every time.
		body, _ := json.Marshal(r)
		return submissionName{"rest:" + digest(body), ownKeyFor}
	}
	return submissionName{}
}

// userKey is the key of a client, of any length and content.
func userKey(key string) submissionName {
	return submissionName{"user:" + digest([]byte(key)), userKeyFor}
}

// clientKey names the submission of Spark's RPC client, which sends the same description to all masters that it knows: by
// its process, which submits once, and the description, which spark-submit dates.
func clientKey(client wire.Address, d *messages.DriverDescription) submissionName {
	body, _ := json.Marshal(struct {
		Client string
		Driver messages.DriverDescription
	}{client.String(), messages.DriverDescription{
		JarURL: d.JarURL, MemoryMB: d.MemoryMB, Cores: d.Cores, Supervise: d.Supervise, Command: d.Command, ResourceReqs: d.ResourceReqs,
	}})
	if _, dated := option(d.Command.JavaOpts, submitTime); !dated {
		return submissionName{"rpc:" + digest(body), undatedKeyFor}
	}
	return submissionName{"rpc:" + digest(body), ownKeyFor}
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
