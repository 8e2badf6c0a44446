package config

import (
	"fmt"
	"strconv"
	"strings"
)

// intSetting applies Spark's order flag > environment > default.
func intSetting(env Env, flag *int, variable string, def int) (int, error) {
	if flag != nil {
		return *flag, nil
	}
	text, ok := env.Lookup(variable)
	if !ok || text == "" {
		return def, nil
	}
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 32)
	if err != nil {
		return def, fmt.Errorf("environment variable %s should be a number, but was %q: %w", variable, text, ErrMalformed)
	}
	return int(n), nil
}

func stringSetting(env Env, flag *string, variable, def string) string {
	if flag != nil {
		return *flag
	}
	if text := env.Get(variable); text != "" {
		return text
	}
	return def
}

// port applies the same order and refuses what is no port.
func (r *reader) port(env Env, flag *int, variable, what string, def int) int {
	n, err := intSetting(env, flag, variable, def)
	r.fail(err)
	if n < 0 || n > 65535 {
		r.fail(fmt.Errorf("%s %d is not between 0 (any free port) and 65535: %w", what, n, ErrInvalid))
	}
	return n
}

// uiPort lets the property win over flag and environment: the one setting
// where Spark's daemons do so (MasterArguments, WorkerArguments).
func (r *reader) uiPort(env Env, flag *int, variable, key string, def int) int {
	return r.confPort(key, r.port(env, flag, variable, "web UI port", def))
}

func (r *reader) confPort(key string, def int) int {
	n := r.integer(def, key)
	if n < 0 || n > 65535 {
		r.refuse(key, strconv.Itoa(n), "The value should be a port, 0 to 65535.")
	}
	return n
}
