// Package sparkjson prints JSON exactly as Spark's pages do (json4s over Jackson's default pretty printer): fields in the
// order they are given, `"key" : value`, two spaces of indent, arrays as `[ a, b ]`, empty ones as `[ ]` and `{ }`.
package sparkjson

import (
	"fmt"
	"strconv"
	"strings"
)

// Member is one field of an object.
type Member struct {
	Key   string
	Value any
}

// Object is a JSON object with its fields in order. A value is an Object, a []Object, a []string, a string, an int, an
// int64, a bool or nil. (No document of Spark's has a number with a fraction, which Java prints in a way of its own.)
type Object []Member

// Get finds a field's value.
func (o Object) Get(key string) (any, bool) {
	for _, m := range o {
		if m.Key == key {
			return m.Value, true
		}
	}
	return nil, false
}

// String prints the object.
func (o Object) String() string {
	var b strings.Builder
	printObject(&b, o, "")
	return b.String()
}

func printObject(b *strings.Builder, o Object, indent string) {
	if len(o) == 0 {
		b.WriteString("{ }")
		return
	}
	inner := indent + "  "
	for i, m := range o {
		b.WriteString([]string{"{\n", ",\n"}[min(i, 1)] + inner)
		printString(b, m.Key)
		b.WriteString(" : ")
		printValue(b, m.Value, inner)
	}
	b.WriteString("\n" + indent + "}")
}

func printValue(b *strings.Builder, v any, indent string) {
	switch v := v.(type) {
	case nil:
		b.WriteString("null")
	case Object:
		printObject(b, v, indent)
	case []Object:
		printArray(b, len(v), func(i int) { printObject(b, v[i], indent) })
	case []string:
		printArray(b, len(v), func(i int) { printString(b, v[i]) })
	case string:
		printString(b, v)
	case int:
		b.WriteString(strconv.Itoa(v))
	case int64:
		b.WriteString(strconv.FormatInt(v, 10))
	case bool:
		b.WriteString(strconv.FormatBool(v))
	default:
		panic(fmt.Sprintf("sparkjson: a value of type %T", v)) // a mistake in our own code, found by the first test
	}
}

func printArray(b *strings.Builder, n int, element func(int)) {
	if n == 0 {
		b.WriteString("[ ]")
		return
	}
	for i := range n {
		b.WriteString([]string{"[ ", ", "}[min(i, 1)])
		element(i)
	}
	b.WriteString(" ]")
}

// printString escapes what Jackson escapes, and no more. Bytes that are not UTF-8 become U+FFFD.
func printString(b *strings.Builder, s string) {
	b.WriteByte('"')
	for _, r := range s {
		switch r {
		case '"', '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case '\b':
			b.WriteString(`\b`)
		case '\f':
			b.WriteString(`\f`)
		case '\n':
			b.WriteString(`\n`)
		case '\r':
			b.WriteString(`\r`)
		case '\t':
			b.WriteString(`\t`)
		default:
			if r < ' ' {
				fmt.Fprintf(b, `\u%04X`, r)
				continue
			}
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
}
