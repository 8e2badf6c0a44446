package config

import (
	"os"
	"strings"
)

// Env is an environment to read variables from. A nil Env is empty.
type Env map[string]string

// OSEnv copies the environment of this process.
func OSEnv() Env { return EnvOf(os.Environ()) }

// EnvOf makes an Env of KEY=VALUE strings; the last of equal keys wins.
func EnvOf(environ []string) Env {
	env := make(Env, len(environ))
	for _, kv := range environ {
		if k, v, ok := strings.Cut(kv, "="); ok && k != "" {
			env[k] = v
		}
	}
	return env
}

// Lookup tells whether the variable is set, even if empty.
func (e Env) Lookup(key string) (string, bool) {
	v, ok := e[key]
	return v, ok
}

// Get gives the value, "" if unset.
func (e Env) Get(key string) string { return e[key] }

// List gives KEY=VALUE strings in no particular order.
func (e Env) List() []string {
	out := make([]string, 0, len(e))
	for k, v := range e {
		out = append(out, k+"="+v)
	}
	return out
}
