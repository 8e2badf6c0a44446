package classfile

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// decodeModified turns Java's modified UTF-8 (JVMS 4.4.7) into UTF-8. The two differ for NUL (C0 80) and beyond U+FFFF, where Java writes
// a surrogate pair as two three-byte sequences. ok is false where the bytes are neither, or a surrogate is alone.
func decodeModified(b []byte) (s string, ok bool) {
	units := make([]uint16, 0, len(b))
	for i := 0; i < len(b); {
		switch c := b[i]; {
		case c != 0 && c < 0x80:
			units = append(units, uint16(c))
			i++
		case c&0xE0 == 0xC0 && i+1 < len(b) && b[i+1]&0xC0 == 0x80:
			units = append(units, uint16(c&0x1F)<<6|uint16(b[i+1]&0x3F))
			i += 2
		case c&0xF0 == 0xE0 && i+2 < len(b) && b[i+1]&0xC0 == 0x80 && b[i+2]&0xC0 == 0x80:
			units = append(units, uint16(c&0x0F)<<12|uint16(b[i+1]&0x3F)<<6|uint16(b[i+2]&0x3F))
			i += 3
		default:
			return "", false
		}
	}
	runes := utf16.Decode(units)
	for _, r := range runes {
		if r == utf8.RuneError {
			return "", false // a surrogate alone; no name has a real U+FFFD
		}
	}
	return string(runes), true
}

// encodeModified is the reverse. Strings in this form compare byte by byte as String.compareTo compares them (NUL, which no name
// has, aside).
func encodeModified(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r == 0 || r > 0xFFFF }) {
		return s
	}
	var b strings.Builder
	for _, u := range utf16.Encode([]rune(s)) {
		if u == 0 {
			b.WriteString("\xC0\x80")
		} else if u < 0x800 {
			b.WriteRune(rune(u))
		} else {
			b.Write([]byte{0xE0 | byte(u>>12), 0x80 | byte(u>>6)&0x3F, 0x80 | byte(u)&0x3F})
		}
	}
	return b.String()
}

// compareNames orders as String.compareTo does: by UTF-16 code units.
func compareNames(a, b string) int {
	return strings.Compare(encodeModified(a), encodeModified(b))
}
