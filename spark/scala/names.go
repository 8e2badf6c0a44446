package scala

// Classes that this package knows by name.
const (
	classSome       = "scala.Some"
	classNone       = "scala.None$"
	classTuple2     = "scala.Tuple2"
	classEnumVal    = "scala.Enumeration$Val"
	classModule     = "scala.runtime.ModuleSerializationProxy" // 2.13: every singleton object
	classProxy      = "scala.collection.generic.DefaultSerializationProxy"
	classProxyEnd   = "scala.collection.generic.SerializeEnd$"
	classSeqFactory = "scala.collection.IterableFactory$ToFactory"
	classMapFactory = "scala.collection.MapFactory$ToFactory"

	classList        = "scala.collection.immutable.List$"
	classNil         = "scala.collection.immutable.Nil$"
	classListProxy   = "scala.collection.immutable.List$SerializationProxy"        // 2.12
	classListEnd     = "scala.collection.immutable.ListSerializeEnd$"              // 2.12
	classVector      = "scala.collection.immutable.Vector"                         // 2.12, as it is in memory
	classStreamCons  = "scala.collection.immutable.Stream$Cons"                    // 2.12
	classStreamEmpty = "scala.collection.immutable.Stream$Empty$"                  // 2.12
	classArraySeq    = "scala.collection.mutable.ArraySeq"                         // 2.12
	classArrayBuffer = "scala.collection.mutable.ArrayBuffer"                      // 2.12
	classListBuffer  = "scala.collection.mutable.ListBuffer"                       // 2.12
	classWrapped     = "scala.collection.mutable.WrappedArray$ofRef"               // 2.12
	classMutableRef  = "scala.collection.mutable.ArraySeq$ofRef"                   // 2.13
	classImmutRef    = "scala.collection.immutable.ArraySeq$ofRef"                 // 2.13
	classEmptySet    = "scala.collection.immutable.Set$EmptySet$"                  // and Set1 to Set4
	classSetPrefix   = "scala.collection.immutable.Set$Set"                        //
	classHashSet     = "scala.collection.immutable.HashSet$SerializationProxy"     // 2.12
	classMapKeys     = "scala.collection.immutable.HashMap$HashMapKeys"            // 2.12
	classDefaultKeys = "scala.collection.MapLike$DefaultKeySet"                    // 2.12
	classKeySet      = "scala.collection.immutable.MapLike$ImmutableDefaultKeySet" // 2.12

	classEmptyMap      = "scala.collection.immutable.Map$EmptyMap$"
	classMapPrefix     = "scala.collection.immutable.Map$Map" // Map1 to Map4
	classMapDefault    = "scala.collection.immutable.Map$WithDefault"
	classHashMap       = "scala.collection.immutable.HashMap$"                   // 2.13
	classHashMapProxy  = "scala.collection.immutable.HashMap$SerializationProxy" // 2.12
	classMutableMap    = "scala.collection.mutable.HashMap"                      // 2.12
	classMutableLinked = "scala.collection.mutable.LinkedHashMap"                // 2.12

	classInteger   = "java.lang.Integer"
	classLong      = "java.lang.Long"
	classDouble    = "java.lang.Double"
	classBoolean   = "java.lang.Boolean"
	classThrowable = "java.lang.Throwable"
	classTrace     = "[Ljava.lang.StackTraceElement;"
	classEmptyList = "java.util.Collections$EmptyList"
)
