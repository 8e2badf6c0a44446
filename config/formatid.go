package config

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// FormatID fills a pattern of java.util.Formatter as Spark does for
// application, driver and worker ids (spark.deploy.appIdPattern and its kin),
// e.g. "app-%s-%04d" or "my-app-%2$05d". Arguments are strings and integers.
// Understood: %s %S %d %x %X %o %n %%, argument indexes (n$ and <), width,
// precision for %s, and the flags - 0 + space , ( #. Anything else, a missing
// argument, or %d for a string gives ErrMalformed; extra arguments are ignored.
func FormatID(pattern string, args ...any) (string, error) {
	f := javaFormat{pattern: pattern, args: args, last: -1}
	for f.pos < len(pattern) {
		if pattern[f.pos] != '%' {
			f.out.WriteByte(pattern[f.pos])
			f.pos++
			continue
		}
		f.pos++
		if err := f.specifier(); err != nil {
			return "", fmt.Errorf("id pattern %q: %w", pattern, err)
		}
	}
	return f.out.String(), nil
}

// hasSpace tells whether an id holds white space, which every id pattern is
// checked for: ids become directory names and words in log lines.
func hasSpace(s string) bool { return strings.ContainsFunc(s, unicode.IsSpace) }

type javaFormat struct {
	pattern string
	args    []any
	pos     int
	next    int // ordinary index
	last    int // argument used last, for %<s
	out     strings.Builder
}

type javaSpec struct {
	flags            string
	width, precision int // -1: absent
	verb             byte
}

func (f *javaFormat) specifier() error {
	arg, explicit := f.argumentIndex()
	spec := javaSpec{width: -1, precision: -1}
	for f.pos < len(f.pattern) && strings.IndexByte("-#+ 0,(", f.pattern[f.pos]) >= 0 {
		spec.flags += string(f.pattern[f.pos])
		f.pos++
	}
	if n, ok := f.number(); ok {
		spec.width = n
	}
	if f.pos < len(f.pattern) && f.pattern[f.pos] == '.' {
		f.pos++
		n, ok := f.number()
		if !ok {
			return fmt.Errorf("%w: a precision must follow '.'", ErrMalformed)
		}
		spec.precision = n
	}
	if f.pos == len(f.pattern) {
		return fmt.Errorf("%w: ends inside a format specifier", ErrMalformed)
	}
	const longest = 1024 // an id is a directory name, so this is generous
	if spec.width > longest || spec.precision > longest {
		return fmt.Errorf("%w: width or precision over %d", ErrMalformed, longest)
	}
	spec.verb = f.pattern[f.pos]
	f.pos++
	switch spec.verb {
	case 'n':
		f.out.WriteByte('\n')
		return nil
	case '%':
		f.out.WriteString(spec.pad("%"))
		return nil
	}
	if !explicit {
		arg = f.next
		f.next++
	}
	if arg < 0 || arg >= len(f.args) {
		return fmt.Errorf("%w: no argument for %%%c (%d given)", ErrMalformed, spec.verb, len(f.args))
	}
	f.last = arg
	text, err := spec.format(f.args[arg])
	if err != nil {
		return err
	}
	f.out.WriteString(text)
	return nil
}

// argumentIndex takes "2$" or "<" if present.
func (f *javaFormat) argumentIndex() (int, bool) {
	if f.pos < len(f.pattern) && f.pattern[f.pos] == '<' {
		f.pos++
		return f.last, true
	}
	start := f.pos
	if n, ok := f.number(); ok && f.pos < len(f.pattern) && f.pattern[f.pos] == '$' && f.pattern[start] != '0' {
		f.pos++
		return n - 1, true
	}
	f.pos = start
	return 0, false
}

func (f *javaFormat) number() (int, bool) {
	start := f.pos
	for f.pos < len(f.pattern) && f.pattern[f.pos] >= '0' && f.pattern[f.pos] <= '9' {
		f.pos++
	}
	if f.pos == start {
		return 0, false
	}
	n, err := strconv.Atoi(f.pattern[start:f.pos])
	if err != nil {
		n = 1 << 30 // refused by the limit on widths, or no such argument
	}
	return n, true
}

func (s javaSpec) has(flag byte) bool { return strings.IndexByte(s.flags, flag) >= 0 }

func (s javaSpec) pad(text string) string {
	missing := s.width - len([]rune(text))
	if missing <= 0 {
		return text
	}
	if s.has('-') {
		return text + strings.Repeat(" ", missing)
	}
	return strings.Repeat(" ", missing) + text
}

func (s javaSpec) format(arg any) (string, error) {
	switch s.verb {
	case 's', 'S':
		return s.formatString(arg)
	case 'd':
		n, err := integerArg(arg, s.verb)
		if err != nil {
			return "", err
		}
		return s.formatDecimal(n)
	case 'x', 'X', 'o':
		n, err := integerArg(arg, s.verb)
		if err != nil {
			return "", err
		}
		return s.formatRadix(n)
	}
	return "", fmt.Errorf("%w: unknown conversion %%%c", ErrMalformed, s.verb)
}

func (s javaSpec) formatString(arg any) (string, error) {
	if strings.Trim(s.flags, "-") != "" {
		return "", fmt.Errorf("%w: flags %q do not go with %%%c", ErrMalformed, s.flags, s.verb)
	}
	text := fmt.Sprint(arg)
	if r := []rune(text); s.precision >= 0 && s.precision < len(r) {
		text = string(r[:s.precision])
	}
	if s.verb == 'S' {
		text = strings.ToUpper(text)
	}
	return s.pad(text), nil
}

func (s javaSpec) formatDecimal(n int64) (string, error) {
	if err := s.checkNumberFlags(); err != nil {
		return "", err
	}
	digits := strings.TrimPrefix(strconv.FormatInt(n, 10), "-")
	if s.has(',') {
		digits = groupThousands(digits)
	}
	prefix, suffix := "", ""
	switch {
	case n < 0 && s.has('('):
		prefix, suffix = "(", ")"
	case n < 0:
		prefix = "-"
	case s.has('+'):
		prefix = "+"
	case s.has(' '):
		prefix = " "
	}
	return s.pad(prefix + s.zeros(len(prefix)+len(digits)+len(suffix)) + digits + suffix), nil
}

func (s javaSpec) formatRadix(n int64) (string, error) {
	if err := s.checkNumberFlags(); err != nil {
		return "", err
	}
	base, prefix := 16, "0x"
	if s.verb == 'o' {
		base, prefix = 8, "0"
	}
	if !s.has('#') {
		prefix = ""
	}
	digits := strconv.FormatUint(uint64(n), base)
	text := prefix + s.zeros(len(prefix)+len(digits)) + digits
	if s.verb == 'X' {
		text = strings.ToUpper(text)
	}
	return s.pad(text), nil
}

func (s javaSpec) checkNumberFlags() error {
	if s.precision >= 0 {
		return fmt.Errorf("%w: %%%c takes no precision", ErrMalformed, s.verb)
	}
	if s.has('0') && s.has('-') {
		return fmt.Errorf("%w: flags 0 and - exclude each other", ErrMalformed)
	}
	if (s.has('0') || s.has('-')) && s.width < 0 {
		return fmt.Errorf("%w: flag 0 or - without a width", ErrMalformed)
	}
	return nil
}

func (s javaSpec) zeros(length int) string {
	if !s.has('0') || length >= s.width {
		return ""
	}
	return strings.Repeat("0", s.width-length)
}

func groupThousands(digits string) string {
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}

func integerArg(arg any, verb byte) (int64, error) {
	switch n := arg.(type) {
	case int:
		return int64(n), nil
	case int32:
		return int64(n), nil
	case int64:
		return n, nil
	case uint16:
		return int64(n), nil
	case uint32:
		return int64(n), nil
	}
	return 0, fmt.Errorf("%w: %%%c wants a number, not %T", ErrMalformed, verb, arg)
}
