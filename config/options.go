package config

import (
	"fmt"
	"strings"
)

// SplitOptions cuts an option string into arguments as Spark's launcher does
// (CommandBuilderUtils.parseOptionString): blanks separate, single and double
// quotes group, a backslash escapes the next character outside single quotes.
// An open quote gives ErrMalformed.
func SplitOptions(s string) ([]string, error) {
	var opts []string
	var b strings.Builder
	var inOpt, inSingle, inDouble, escape bool
	for _, c := range s {
		switch {
		case escape:
			b.WriteRune(c)
			escape = false
			inOpt = true
		case c == '\\':
			if inSingle {
				b.WriteRune(c)
			} else {
				escape = true
				inOpt = true
			}
		case c == '\'' && !inDouble:
			inSingle = !inSingle
			inOpt = true
		case c == '"' && !inSingle:
			inDouble = !inDouble
			inOpt = true
		case strings.ContainsRune(" \t\n\r\f\v", c) && !inSingle && !inDouble:
			if inOpt {
				opts = append(opts, b.String())
				b.Reset()
				inOpt = false
			}
		default:
			b.WriteRune(c)
			inOpt = true
		}
	}
	if escape || inSingle || inDouble {
		return nil, fmt.Errorf("%w option string, a quote or a backslash is left open: %s", ErrMalformed, s)
	}
	if inOpt {
		opts = append(opts, b.String())
	}
	return opts, nil
}

// systemProperties collects the -Dkey=value options of the named variables.
// Later variables, and later options in one, win, as on a java command line.
// Other JVM options (heap, GC) mean nothing to a Go process and are skipped.
func systemProperties(env Env, variables ...string) (map[string]string, error) {
	props := make(map[string]string)
	for _, name := range variables {
		opts, err := SplitOptions(env.Get(name))
		if err != nil {
			return nil, fmt.Errorf("environment variable %s: %w", name, err)
		}
		for _, opt := range opts {
			def, ok := strings.CutPrefix(opt, "-D")
			if !ok {
				continue
			}
			key, value, _ := strings.Cut(def, "=")
			if key != "" {
				props[key] = value
			}
		}
	}
	return props, nil
}
