package worker

import (
	"regexp"
	"strings"
)

// redacted is Spark's REDACTION_REPLACEMENT_TEXT.
const redacted = "*********(redacted)"

var systemPropertyArg = regexp.MustCompile(`(?s)^-D(.+?)=(.+)$`)

// redactArgs hides the values of -Dkey=value arguments whose key or value
// matches, as Spark's Utils.redactCommandLineArgs does.
func redactArgs(secret *regexp.Regexp, args []string) []string {
	out := make([]string, len(args))
	for i, arg := range args {
		out[i] = arg
		if m := systemPropertyArg.FindStringSubmatch(arg); m != nil {
			out[i] = "-D" + m[1] + "=" + redactValue(secret, m[1], m[2])
		}
	}
	return out
}

func redactValue(secret *regexp.Regexp, key, value string) string {
	if secret != nil && (secret.MatchString(key) || secret.MatchString(value)) {
		return redacted
	}
	return value
}

// quoteArgs writes arguments as Spark's launch headers do: each one in double
// quotes, nothing escaped.
func quoteArgs(args []string) string { return `"` + strings.Join(args, `" "`) + `"` }
