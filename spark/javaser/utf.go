package javaser

import (
	"fmt"
	"unicode/utf8"
)

// Java writes strings in "modified UTF-8": NUL as C0 80, and characters beyond the basic plane as two surrogates of
// three bytes each. In Go they are plain UTF-8. A lone surrogate, which a Java string may hold, stays the three bytes
// it came as (invalid UTF-8, but nothing is lost on the way back).

const (
	surrogateMin = 0xD800
	surrogateLow = 0xDC00
	surrogateMax = 0xDFFF
	beyondBasic  = 0x10000
)

// decodeUTF turns modified UTF-8 into a Go string.
func decodeUTF(b []byte) (string, error) {
	plain := true
	for _, c := range b {
		if c >= utf8.RuneSelf {
			plain = false
			break
		}
	}
	if plain {
		return string(b), nil
	}
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); {
		c, n := modifiedUnit(b[i:])
		if n == 0 {
			return "", fmt.Errorf("%w: byte %d of a string is no modified UTF-8", ErrMalformed, i)
		}
		i += n
		if c >= surrogateMin && c < surrogateLow {
			if low, m := modifiedUnit(b[i:]); low >= surrogateLow && low <= surrogateMax && m != 0 {
				i += m
				c = beyondBasic + (c-surrogateMin)<<10 + (low - surrogateLow)
			}
		}
		out = appendUnit(out, c)
	}
	return string(out), nil
}

// modifiedUnit reads one UTF-16 code unit and says how many bytes it took; 0 means that there is none. Overlong forms
// pass, as they do in java.io.DataInputStream.
func modifiedUnit(b []byte) (rune, int) {
	const continuation, mask = 0x80, 0xC0
	switch {
	case len(b) == 0:
		return 0, 0
	case b[0] < 0x80:
		return rune(b[0]), 1
	case b[0]&0xE0 == 0xC0 && len(b) >= 2 && b[1]&mask == continuation:
		return rune(b[0]&0x1F)<<6 | rune(b[1]&0x3F), 2
	case b[0]&0xF0 == 0xE0 && len(b) >= 3 && b[1]&mask == continuation && b[2]&mask == continuation:
		return rune(b[0]&0x0F)<<12 | rune(b[1]&0x3F)<<6 | rune(b[2]&0x3F), 3
	}
	return 0, 0
}

// appendUnit appends c as UTF-8, a surrogate as three bytes.
func appendUnit(out []byte, c rune) []byte {
	if c >= surrogateMin && c <= surrogateMax {
		return appendThree(out, c)
	}
	return utf8.AppendRune(out, c)
}

func appendThree(out []byte, c rune) []byte {
	return append(out, 0xE0|byte(c>>12), 0x80|byte(c>>6)&0x3F, 0x80|byte(c)&0x3F)
}

// appendUTF appends s as modified UTF-8, without a length. Bytes that are no UTF-8 become U+FFFD.
func appendUTF(out []byte, s string) []byte {
	if isPlain(s) {
		return append(out, s...)
	}
	for i := 0; i < len(s); {
		c, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case c == utf8.RuneError && n == 1:
			if u, m := modifiedUnit([]byte(s[i:min(i+3, len(s))])); m == 3 && u >= surrogateMin && u <= surrogateMax {
				c, n = u, m
			}
			out = appendThree(out, c)
		case c == 0:
			out = append(out, 0xC0, 0x80)
		case c >= beyondBasic:
			c -= beyondBasic
			out = appendThree(appendThree(out, surrogateMin+c>>10), surrogateLow+c&0x3FF)
		default:
			out = utf8.AppendRune(out, c)
		}
		i += n
	}
	return out
}

// isPlain tells whether s is the same in modified UTF-8.
func isPlain(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c == 0 || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
