package config

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ErrInvalid marks a setting that reads well but that Spark refuses.
var ErrInvalid = errors.New("invalid setting")

// Conf holds spark.* settings and converts them on reading, like Spark's
// SparkConf with its ConfigReader: values may refer to ${spark.other.key},
// ${env:NAME} and ${system:name}. It does not change after it was made, so it
// may be shared.
type Conf struct {
	values map[string]string
	system map[string]string
	env    Env
}

// NewConf makes a Conf of values and keeps only keys that start with "spark.".
func NewConf(values map[string]string, env Env) *Conf {
	c := &Conf{values: make(map[string]string, len(values)), env: env}
	for k, v := range values {
		if strings.HasPrefix(k, "spark.") {
			c.values[k] = v
		}
	}
	return c
}

// load reads the -D options of the variables and the properties file. Explicit
// -D wins over the file (Spark: Utils.loadDefaultSparkProperties sets only what
// is missing). An empty path means the default file, if there is one.
func load(env Env, path string, optsVariables ...string) (*Conf, error) {
	system, err := systemProperties(env, optsVariables...)
	if err != nil {
		return nil, err
	}
	if path == "" {
		path = DefaultPropertiesFile(env)
	}
	merged := make(map[string]string)
	if path != "" {
		if merged, err = ReadPropertiesFile(path); err != nil {
			return nil, err
		}
	}
	maps.Copy(merged, system)
	c := NewConf(merged, env)
	c.system = system
	return c, nil
}

// Keys lists all keys that are set, sorted.
func (c *Conf) Keys() []string { return slices.Sorted(maps.Keys(c.values)) }

// Raw gives a value as written, without substitution.
func (c *Conf) Raw(key string) (string, bool) {
	v, ok := c.values[key]
	return v, ok
}

// Lookup gives the substituted value of the first of the keys that is set:
// a setting's own name first, then its alternatives.
func (c *Conf) Lookup(keys ...string) (value string, ok bool, err error) {
	for _, key := range keys {
		if v, found := c.values[key]; found {
			v, err = c.substitute(v, nil)
			if err != nil {
				return "", false, fmt.Errorf("%s: %w", key, err)
			}
			return v, true, nil
		}
	}
	return "", false, nil
}

var reference = regexp.MustCompile(`\$\{(?:(\w+?):)?(\S+?)\}`)

func (c *Conf) substitute(s string, seen []string) (string, error) {
	if !strings.Contains(s, "${") {
		return s, nil
	}
	var firstErr error
	out := reference.ReplaceAllStringFunc(s, func(ref string) string {
		m := reference.FindStringSubmatch(ref)
		if slices.Contains(seen, ref) {
			firstErr = fmt.Errorf("%w: circular reference %s", ErrInvalid, ref)
			return ref
		}
		value, ok := c.resolve(m[1], m[2])
		if !ok {
			return ref // Spark leaves what it cannot resolve
		}
		value, err := c.substitute(value, append(seen, ref))
		if err != nil && firstErr == nil {
			firstErr = err
		}
		return value
	})
	return out, firstErr
}

func (c *Conf) resolve(kind, name string) (string, bool) {
	switch kind {
	case "":
		return c.Raw(name)
	case "env":
		return c.env.Lookup(name)
	case "system":
		v, ok := c.system[name]
		return v, ok
	}
	return "", false
}

// Text gives the value, or def if unset.
func (c *Conf) Text(def string, keys ...string) (string, error) {
	v, ok, err := c.Lookup(keys...)
	if err != nil || !ok {
		return def, err
	}
	return v, nil
}

// Bool accepts true and false in any case.
func (c *Conf) Bool(def bool, keys ...string) (bool, error) {
	v, ok, err := c.Lookup(keys...)
	if err != nil || !ok {
		return def, err
	}
	switch strings.ToLower(strings.TrimSpace(v)) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return def, fmt.Errorf("%s should be boolean (true or false), but was %q: %w", keys[0], v, ErrMalformed)
}

// Int accepts a 32 bit number, the range of Spark's intConf.
func (c *Conf) Int(def int, keys ...string) (int, error) {
	v, ok, err := c.Lookup(keys...)
	if err != nil || !ok {
		return def, err
	}
	n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 32)
	if err != nil {
		return def, fmt.Errorf("%s should be int, but was %q: %w", keys[0], v, ErrMalformed)
	}
	return int(n), nil
}

// Seconds reads a plain number of seconds (Spark's longConf, which takes no
// unit). Spark's own texts in the form "60s" are taken too, which Spark would
// refuse.
func (c *Conf) Seconds(def time.Duration, keys ...string) (time.Duration, error) {
	return c.Time(def, time.Second, keys...)
}

// Time reads a time string; a bare number counts in unit.
func (c *Conf) Time(def, unit time.Duration, keys ...string) (time.Duration, error) {
	v, ok, err := c.Lookup(keys...)
	if err != nil || !ok {
		return def, err
	}
	d, err := ParseTime(v, unit)
	if err != nil {
		return def, fmt.Errorf("%s: %w", keys[0], err)
	}
	return d, nil
}

// Bytes reads a size; a bare number counts in unit.
func (c *Conf) Bytes(def, unit int64, keys ...string) (int64, error) {
	v, ok, err := c.Lookup(keys...)
	if err != nil || !ok {
		return def, err
	}
	b, err := ParseBytes(v, unit)
	if err != nil {
		return def, fmt.Errorf("%s: %w", keys[0], err)
	}
	return b, nil
}

// reader reads many settings in a row and keeps every error, so that an
// operator sees all of them at once.
type reader struct {
	conf *Conf
	errs []error
}

func (r *reader) fail(err error) {
	if err != nil {
		r.errs = append(r.errs, err)
	}
}

// refuse records a value that fails Spark's check, in Spark's wording.
func (r *reader) refuse(key, value, why string) {
	r.errs = append(r.errs, fmt.Errorf("'%s' in %s is invalid. %s: %w", value, key, why, ErrInvalid))
}

func (r *reader) str(def string, keys ...string) string {
	v, err := r.conf.Text(def, keys...)
	r.fail(err)
	return v
}

func (r *reader) boolean(def bool, keys ...string) bool {
	v, err := r.conf.Bool(def, keys...)
	r.fail(err)
	return v
}

func (r *reader) integer(def int, keys ...string) int {
	v, err := r.conf.Int(def, keys...)
	r.fail(err)
	return v
}

// atLeast reads an int that Spark's check (or good sense) bounds from below.
func (r *reader) atLeast(min, def int, why string, keys ...string) int {
	if _, set, err := r.conf.Lookup(keys...); err == nil && !set {
		return def // the default may stand outside, where it means "none"
	}
	before := len(r.errs)
	v := r.integer(def, keys...)
	if len(r.errs) == before && v < min {
		r.refuse(keys[0], strconv.Itoa(v), why)
	}
	return v
}

func (r *reader) seconds(def time.Duration, keys ...string) time.Duration {
	v, err := r.conf.Seconds(def, keys...)
	r.fail(err)
	return v
}

func (r *reader) duration(def, unit time.Duration, keys ...string) time.Duration {
	v, err := r.conf.Time(def, unit, keys...)
	r.fail(err)
	return v
}

func (r *reader) bytes(def, unit int64, keys ...string) int64 {
	v, err := r.conf.Bytes(def, unit, keys...)
	r.fail(err)
	return v
}

func (r *reader) err() error { return errors.Join(r.errs...) }
