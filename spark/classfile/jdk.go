package classfile

import (
	"strings"

	"github.com/firesteel/firesteel/spark/javaser"
)

// isJDK tells whether the class comes with the JDK, which is not on our class path.
func isJDK(name string) bool {
	return strings.HasPrefix(name, "java.") || strings.HasPrefix(name, "javax.")
}

// jdkPlain are the JDK superclasses that are not serializable and that Spark's and Scala's classes extend.
var jdkPlain = map[string]bool{
	"java.lang.Object":             true,
	"java.lang.Record":             true,
	"java.lang.ClassLoader":        true,
	"java.lang.Thread":             true,
	"java.io.InputStream":          true,
	"java.io.OutputStream":         true,
	"java.io.Reader":               true,
	"java.io.Writer":               true,
	"java.util.AbstractCollection": true,
	"java.util.AbstractList":       true,
	"java.util.AbstractMap":        true,
	"java.util.AbstractSet":        true,
	"java.util.AbstractQueue":      true,
}

// jdkSerializable are the JDK interfaces that extend java.io.Serializable and that a Scala class may implement.
var jdkSerializable = map[string]bool{
	"java.security.Key":        true,
	"java.security.PublicKey":  true,
	"java.security.PrivateKey": true,
	"javax.crypto.SecretKey":   true,
}

// jdkClasses are the JDK's serializable classes that occur in Spark's deploy messages, in the errors sent with them, or
// above Spark's and Scala's classes. Their serialVersionUIDs are declared in the JDK's sources (those of arrays and enums follow from the
// specification), so they are the same on every JDK; printed by a JDK 17. Throwable's stack
// trace element gained fields in JDK 9, which a JDK 8 skips.
var jdkClasses = makeJDKClasses()

// MaxJDKDepth is the length of the longest chain of superclasses among the JDK's constants.
const MaxJDKDepth = 4

// JDK gives one of the JDK's classes that this package knows as constants, or one of the arrays of them
// that occur in deploy messages. The descriptor is shared.
func JDK(name string) (*javaser.ClassDesc, bool) {
	d, ok := jdkClasses[name]
	return d, ok
}

func makeJDKClasses() map[string]*javaser.ClassDesc {
	m := make(map[string]*javaser.ClassDesc)
	const plain, custom = javaser.FlagSerializable, javaser.FlagSerializable | javaser.FlagWriteMethod
	// fields are "name type" pairs, in wire order
	add := func(name string, suid int64, flags byte, super string, fields ...string) {
		d := &javaser.ClassDesc{Name: name, SUID: suid, Flags: flags, Super: m[super]}
		for _, f := range fields {
			field, typ, _ := strings.Cut(f, " ")
			d.Fields = append(d.Fields, javaser.Field{Name: field, Type: typ})
		}
		m[name] = d
	}
	add("java.lang.Boolean", -3665804199014368530, plain, "", "value Z")
	add("java.lang.Number", -8742448824652078965, plain, "")
	add("java.lang.Integer", 1360826667806852920, plain, "java.lang.Number", "value I")
	add("java.lang.Long", 4290774380558885855, plain, "java.lang.Number", "value J")
	add("java.lang.Double", -9172774392245257468, plain, "java.lang.Number", "value D")
	add("java.lang.String", -6849794470754667710, plain, "")
	add("java.net.URI", -6052424284110960213, custom, "", "string Ljava/lang/String;")
	add("java.util.ArrayList", 8683452581122892189, custom, "", "size I")
	add("java.util.Collections$EmptyList", 8842843931221139166, plain, "")

	add("java.lang.Enum", 0, javaser.FlagSerializable|javaser.FlagEnum, "")
	add("java.util.concurrent.TimeUnit", 0, javaser.FlagSerializable|javaser.FlagEnum, "java.lang.Enum")

	add("java.lang.StackTraceElement", 6992337162326171013, plain, "", "format B", "lineNumber I",
		"classLoaderName Ljava/lang/String;", "declaringClass Ljava/lang/String;", "fileName Ljava/lang/String;",
		"methodName Ljava/lang/String;", "moduleName Ljava/lang/String;", "moduleVersion Ljava/lang/String;")
	add("java.lang.Throwable", -3042686055658047285, custom, "", "cause Ljava/lang/Throwable;",
		"detailMessage Ljava/lang/String;", "stackTrace [Ljava/lang/StackTraceElement;", "suppressedExceptions Ljava/util/List;")
	add("java.lang.Exception", -3387516993124229948, plain, "java.lang.Throwable")
	add("java.lang.Error", 4980196508277280342, plain, "java.lang.Throwable")
	add("java.lang.RuntimeException", -7034897190745766939, plain, "java.lang.Exception")
	add("java.lang.IllegalArgumentException", -5365630128856068164, plain, "java.lang.RuntimeException")
	add("java.lang.IllegalStateException", -1848914673093119416, plain, "java.lang.RuntimeException")
	add("java.lang.UnsupportedOperationException", -1242599979055084673, plain, "java.lang.RuntimeException")
	add("java.lang.InterruptedException", 6700697376100628473, plain, "java.lang.Exception")
	add("java.io.IOException", 7818375828146090155, plain, "java.lang.Exception")
	add("java.util.NoSuchElementException", 6769829250639411880, plain, "java.lang.RuntimeException")
	add("java.util.concurrent.TimeoutException", 1900926677490660714, plain, "java.lang.Exception")
	for _, array := range []string{"[Ljava.lang.Object;", "[Ljava.lang.String;", "[Ljava.lang.StackTraceElement;", "[B", "[I", "[J"} {
		add(array, arraySUID(array, accPublic), plain, "")
	}
	return m
}
