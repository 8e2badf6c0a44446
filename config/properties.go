package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// ErrMalformed marks input that does not follow its syntax: a properties file,
// an option string, a number, a time or a size.
var ErrMalformed = errors.New("malformed")

const defaultPropertiesFile = "spark-defaults.conf"

// DefaultPropertiesFile names the file Spark's Utils.getDefaultPropertiesFile
// would load: $SPARK_CONF_DIR/spark-defaults.conf, or, only if SPARK_CONF_DIR
// is not set, $SPARK_HOME/conf/spark-defaults.conf. It is "" if that is no
// regular file.
func DefaultPropertiesFile(env Env) string {
	dir, ok := env.Lookup("SPARK_CONF_DIR")
	if !ok {
		home, ok := env.Lookup("SPARK_HOME")
		if !ok {
			return ""
		}
		dir = filepath.Join(home, "conf")
	}
	path := filepath.Join(dir, defaultPropertiesFile)
	if st, err := os.Stat(path); err != nil || !st.Mode().IsRegular() {
		return ""
	}
	return path
}

// ReadPropertiesFile parses path and keeps every key, spark.* or not.
func ReadPropertiesFile(path string) (map[string]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("properties file %s cannot be read, check the path and its permissions: %w", path, err)
	}
	defer f.Close()
	props, err := ParseProperties(f)
	if err != nil {
		return nil, fmt.Errorf("properties file %s: %w", path, err)
	}
	return props, nil
}

// ParseProperties reads java.util.Properties syntax from UTF-8 text: comments
// with # and !, separators '=', ':' or white space, backslash escapes, lines
// continued by a trailing backslash. As Spark does, values lose surrounding
// blanks except CR and LF (Utils.trimExceptCRLF). A repeated key keeps its last
// value. Bad escapes give ErrMalformed with the line number.
func ParseProperties(r io.Reader) (map[string]string, error) {
	raw, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("reading properties: %w", err)
	}
	if !utf8.Valid(raw) {
		return nil, fmt.Errorf("%w: the text is not UTF-8, save it as UTF-8", ErrMalformed)
	}
	props := make(map[string]string)
	for _, line := range logicalLines(string(raw)) {
		key, value := splitProperty(line.text)
		if key, err = unescape(key); err != nil {
			return nil, fmt.Errorf("line %d: %w", line.number, err)
		}
		if value, err = unescape(value); err != nil {
			return nil, fmt.Errorf("line %d: %w", line.number, err)
		}
		props[key] = trimExceptCRLF(value)
	}
	return props, nil
}

type logicalLine struct {
	text   string
	number int // of the first natural line, from 1
}

// logicalLines joins continued lines and drops blank ones and comments. A
// comment is never continued, and a continuation is never a comment: that is
// what java.util.Properties does.
func logicalLines(text string) []logicalLine {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	text = strings.ReplaceAll(text, "\r", "\n")
	var out []logicalLine
	var open bool
	for i, natural := range strings.Split(text, "\n") {
		body := strings.TrimLeft(natural, " \t\f")
		if !open && (body == "" || body[0] == '#' || body[0] == '!') {
			continue
		}
		continued := endsInOddBackslashes(body)
		if continued {
			body = body[:len(body)-1]
		}
		if open {
			out[len(out)-1].text += body
		} else {
			out = append(out, logicalLine{text: body, number: i + 1})
		}
		open = continued
	}
	return out
}

func endsInOddBackslashes(s string) bool {
	n := len(s) - len(strings.TrimRight(s, `\`))
	return n%2 == 1
}

// splitProperty cuts at the first unescaped separator. White space around one
// '=' or ':' belongs to the separator.
func splitProperty(line string) (key, value string) {
	end := len(line)
	for i := 0; i < len(line); i++ {
		if line[i] == '\\' {
			i++
			continue
		}
		if strings.IndexByte("=: \t\f", line[i]) >= 0 {
			end = i
			break
		}
	}
	key, rest := line[:end], strings.TrimLeft(line[end:], " \t\f")
	if rest != "" && (rest[0] == '=' || rest[0] == ':') {
		rest = strings.TrimLeft(rest[1:], " \t\f")
	}
	return key, rest
}

func unescape(s string) (string, error) {
	if !strings.Contains(s, `\`) {
		return s, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		i++
		if i == len(s) {
			break // a lone backslash at the end of the file
		}
		switch s[i] {
		case 't':
			b.WriteByte('\t')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 'f':
			b.WriteByte('\f')
		case 'u':
			r, n, err := unicodeEscape(s[i-1:])
			if err != nil {
				return "", err
			}
			b.WriteRune(r)
			i += n - 2
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String(), nil
}

// unicodeEscape decodes \uXXXX at the start of s, or a surrogate pair of two of
// them, and says how many bytes it took.
func unicodeEscape(s string) (rune, int, error) {
	first, err := hex4(s)
	if err != nil {
		return 0, 0, err
	}
	if utf16.IsSurrogate(first) {
		if second, err := hex4(s[6:]); err == nil {
			if r := utf16.DecodeRune(first, second); r != utf8.RuneError {
				return r, 12, nil
			}
		}
	}
	return first, 6, nil
}

func hex4(s string) (rune, error) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, fmt.Errorf(`%w \uxxxx escape: four hex digits must follow \u`, ErrMalformed)
	}
	v, err := strconv.ParseUint(s[2:6], 16, 16)
	if err != nil {
		return 0, fmt.Errorf(`%w \uxxxx escape: %q is not four hex digits (write a Windows path with \\ or /)`, ErrMalformed, s[2:6])
	}
	return rune(v), nil
}

// trimExceptCRLF is Spark's Utils.trimExceptCRLF: String.trim that leaves CR
// and LF, so that an escaped line end at the border of a value survives.
func trimExceptCRLF(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return r <= ' ' && r != '\r' && r != '\n' })
}
