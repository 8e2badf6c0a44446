package javaser

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// Format prints a tree for people and golden files: classes with their serialVersionUIDs and flags, one line per field,
// objects numbered in the order they are met, and <ref #n> where one occurs again.
func Format(v Value) string {
	p := printer{numbers: map[*Object]int{}, arrays: map[*Array]struct{}{}}
	p.value(v, "")
	return p.String()
}

type printer struct {
	strings.Builder
	numbers map[*Object]int
	arrays  map[*Array]struct{}
}

func (p *printer) value(v Value, indent string) {
	switch v := v.(type) {
	case nil:
		p.WriteString("null")
	case string:
		p.WriteString(strconv.Quote(v))
	case Block:
		p.WriteString("block " + hex.EncodeToString(v))
	case *Object:
		p.object(v, indent)
	case *Array:
		p.array(v, indent)
	case *Enum:
		fmt.Fprintf(p, "enum %s suid=%d super=%s.%s", v.Class.Name, v.Class.SUID, supers(v.Class), v.Name)
	case *Class:
		fmt.Fprintf(p, "class %s suid=%d flags=%d super=%s", v.Desc.Name, v.Desc.SUID, v.Desc.Flags, supers(v.Desc))
	default:
		fmt.Fprint(p, v)
	}
}

func (p *printer) object(o *Object, indent string) {
	if n, again := p.numbers[o]; again {
		fmt.Fprintf(p, "<ref #%d %s>", n, o.Class.Name)
		return
	}
	p.numbers[o] = len(p.numbers)
	fmt.Fprintf(p, "%s#%d suid=%d flags=%d {", o.Class.Name, p.numbers[o], o.Class.SUID, o.Class.Flags)
	inner := indent + "  "
	for i := range o.Data {
		cd := &o.Data[i]
		if len(o.Data) > 1 {
			fmt.Fprintf(p, "\n%s-- %s suid=%d flags=%d", inner, cd.Class.Name, cd.Class.SUID, cd.Class.Flags)
		}
		for j, v := range cd.Values {
			fmt.Fprintf(p, "\n%s.%s:%s = ", inner, cd.Class.Fields[j].Name, cd.Class.Fields[j].Type)
			p.value(v, inner)
		}
		for _, v := range cd.Annotation {
			fmt.Fprintf(p, "\n%s@ ", inner)
			p.value(v, inner)
		}
	}
	p.WriteString(" }")
}

func (p *printer) array(a *Array, indent string) {
	if _, again := p.arrays[a]; again {
		fmt.Fprintf(p, "<ref %s>", a.Class.Name)
		return
	}
	p.arrays[a] = struct{}{}
	fmt.Fprintf(p, "%s suid=%d [", a.Class.Name, a.Class.SUID)
	inner := indent + "  "
	for _, v := range a.Values {
		p.WriteString("\n" + inner)
		p.value(v, inner)
	}
	p.WriteString("]")
}

// supers prints the superclasses of a descriptor: name(suid,fFLAGS), and "-" where there are none.
func supers(c *ClassDesc) string {
	if c.Super == nil {
		return "-"
	}
	var out []string
	for c = c.Super; c != nil; c = c.Super {
		out = append(out, fmt.Sprintf("%s(%d,f%d)", c.Name, c.SUID, c.Flags))
	}
	return strings.Join(out, "<")
}
