package worker

import (
	"fmt"
	"strconv"
	"strings"
)

// jsonObject is a JSON object whose fields keep their order.
type jsonObject []jsonField

type jsonField struct {
	name  string
	value any // jsonObject, []any, string, int
}

// prettyJSON prints as Spark's pages do (json4s over Jackson's default pretty
// printer): objects over several lines indented by two, `"key" : value`, arrays
// in line as `[ a, b ]`, empty ones as `[ ]` and `{ }`, no final newline.
func prettyJSON(v any) string {
	var b strings.Builder
	writePretty(&b, v, 0)
	return b.String()
}

func writePretty(b *strings.Builder, v any, depth int) {
	switch v := v.(type) {
	case jsonObject:
		writeObject(b, v, depth)
	case []any:
		writeArray(b, v, depth)
	case string:
		writeJSONString(b, v)
	case int:
		b.WriteString(strconv.Itoa(v))
	default:
		panic(fmt.Sprintf("prettyJSON: %T is not among the types the pages use", v)) // a programming error, not input
	}
}

func writeObject(b *strings.Builder, o jsonObject, depth int) {
	if len(o) == 0 {
		b.WriteString("{ }")
		return
	}
	b.WriteByte('{')
	for i, f := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		newline(b, depth+1)
		writeJSONString(b, f.name)
		b.WriteString(" : ")
		writePretty(b, f.value, depth+1)
	}
	newline(b, depth)
	b.WriteByte('}')
}

func newline(b *strings.Builder, depth int) {
	b.WriteByte('\n')
	b.WriteString(strings.Repeat("  ", depth))
}

// writeArray does not indent: Jackson counts only objects as levels there.
func writeArray(b *strings.Builder, a []any, depth int) {
	if len(a) == 0 {
		b.WriteString("[ ]")
		return
	}
	b.WriteString("[ ")
	for i, v := range a {
		if i > 0 {
			b.WriteString(", ")
		}
		writePretty(b, v, depth)
	}
	b.WriteString(" ]")
}

// writeJSONString escapes what Jackson escapes, and no more.
func writeJSONString(b *strings.Builder, s string) {
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\b':
			b.WriteString(`\b`)
		case r == '\f':
			b.WriteString(`\f`)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < 0x20:
			fmt.Fprintf(b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
}
