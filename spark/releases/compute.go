package releases

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/firesteel/firesteel/spark/classfile"
	"github.com/firesteel/firesteel/spark/javaser"
)

const (
	deployMessages  = "org.apache.spark.deploy.DeployMessages$"
	checkExistence  = "org.apache.spark.rpc.netty.RpcEndpointVerifier$CheckExistence"
	endpointRef     = "org.apache.spark.rpc.RpcEndpointRef"
	resourceProfile = "org.apache.spark.resource.ResourceProfile"
	moduleOptions   = "org.apache.spark.launcher.JavaModuleOptions"
)

// wireClasses are the classes of a table besides the DeployMessages, which Compute finds by their prefix. A release has
// those of its own Scala dialect only.
//
// Left out on purpose: Spark's own exceptions. They change with every feature release and Firesteel never sends one;
// it reports failures as exceptions of the JDK.
var wireClasses = strings.Fields(`
	org.apache.spark.rpc.RpcAddress
	org.apache.spark.rpc.RpcEndpointAddress
	org.apache.spark.rpc.RpcEndpointRef
	org.apache.spark.rpc.RpcTimeout
	org.apache.spark.rpc.netty.NettyRpcEndpointRef
	org.apache.spark.rpc.netty.RpcEndpointVerifier$CheckExistence
	org.apache.spark.rpc.netty.RpcFailure
	org.apache.spark.deploy.ApplicationDescription
	org.apache.spark.deploy.Command
	org.apache.spark.deploy.DriverDescription
	org.apache.spark.deploy.ExecutorDescription
	org.apache.spark.deploy.ExecutorState$
	org.apache.spark.deploy.master.ApplicationInfo
	org.apache.spark.deploy.master.ApplicationState$
	org.apache.spark.deploy.master.DriverInfo
	org.apache.spark.deploy.master.DriverState$
	org.apache.spark.deploy.master.MasterMessages$BoundPortsRequest$
	org.apache.spark.deploy.master.MasterMessages$BoundPortsResponse
	org.apache.spark.deploy.master.RecoveryState$
	org.apache.spark.deploy.master.WorkerInfo
	org.apache.spark.deploy.master.WorkerResourceInfo
	org.apache.spark.deploy.master.WorkerState$
	org.apache.spark.resource.ExecutorResourceRequest
	org.apache.spark.resource.ResourceInformation
	org.apache.spark.resource.ResourceProfile
	org.apache.spark.resource.ResourceRequirement
	org.apache.spark.resource.TaskResourceProfile
	org.apache.spark.resource.TaskResourceRequest

	scala.Enumeration
	scala.Enumeration$Val
	scala.Enumeration$Value
	scala.None$
	scala.Option
	scala.Some
	scala.Tuple2
	scala.concurrent.duration.Duration
	scala.concurrent.duration.FiniteDuration
	scala.reflect.ClassTag$GenericClassTag
	scala.reflect.ManifestFactory$ClassTypeManifest
	scala.reflect.ManifestFactory$ObjectManifest
	scala.reflect.ManifestFactory$PhantomManifest
	scala.runtime.ModuleSerializationProxy

	scala.collection.IterableFactory$ToFactory
	scala.collection.MapFactory$ToFactory
	scala.collection.MapLike$DefaultKeySet
	scala.collection.generic.DefaultSerializable
	scala.collection.generic.DefaultSerializationProxy
	scala.collection.generic.SerializeEnd$
	scala.collection.immutable.$colon$colon
	scala.collection.immutable.ArraySeq
	scala.collection.immutable.ArraySeq$
	scala.collection.immutable.ArraySeq$ofRef
	scala.collection.immutable.HashMap
	scala.collection.immutable.HashMap$
	scala.collection.immutable.HashMap$EmptyHashMap$
	scala.collection.immutable.HashMap$HashMap1
	scala.collection.immutable.HashMap$HashTrieMap
	scala.collection.immutable.HashMap$SerializationProxy
	scala.collection.immutable.HashSet
	scala.collection.immutable.HashSet$
	scala.collection.immutable.HashSet$SerializationProxy
	scala.collection.immutable.List
	scala.collection.immutable.List$
	scala.collection.immutable.List$SerializationProxy
	scala.collection.immutable.ListSerializeEnd$
	scala.collection.immutable.Map$
	scala.collection.immutable.Map$EmptyMap$
	scala.collection.immutable.Map$Map1
	scala.collection.immutable.Map$Map2
	scala.collection.immutable.Map$Map3
	scala.collection.immutable.Map$Map4
	scala.collection.immutable.MapLike$ImmutableDefaultKeySet
	scala.collection.immutable.Nil$
	scala.collection.immutable.Range
	scala.collection.immutable.Set$EmptySet$
	scala.collection.immutable.Set$Set1
	scala.collection.immutable.Set$Set2
	scala.collection.immutable.Set$Set3
	scala.collection.immutable.Set$Set4
	scala.collection.immutable.Stream
	scala.collection.immutable.Stream$Cons
	scala.collection.immutable.Vector
	scala.collection.immutable.Vector$
	scala.collection.mutable.ArrayBuffer
	scala.collection.mutable.ArrayBuffer$
	scala.collection.mutable.ArraySeq
	scala.collection.mutable.HashMap
	scala.collection.mutable.HashMap$
	scala.collection.mutable.HashMap$DeserializationFactory
	scala.collection.mutable.ListBuffer
	scala.collection.mutable.ListBuffer$
	scala.collection.mutable.WrappedArray$ofRef
`)

// Compute makes the table of one Spark distribution from its jars. Its build is the one of a table that this program
// carries, if the jars speak that, and a new one otherwise.
func Compute(jars Jars) (*Table, error) {
	cp, err := jars.open()
	if err != nil {
		return nil, err
	}
	defer cp.Close()
	names, err := messageClasses(cp)
	if err != nil {
		return nil, err
	}
	t := &Table{scala: jars.Scala, classes: make(map[string]*javaser.ClassDesc)}
	for _, name := range slices.Concat(wireClasses, names) {
		if err := t.add(cp, name); err != nil {
			return nil, fmt.Errorf("compute release table of Spark %s: %w", jars.Version, err)
		}
	}
	release := Release{Version: jars.Version, ScalaLibrary: jars.ScalaLibrary}
	if release.ProbeSUID, err = probe(cp); err != nil {
		return nil, err
	}
	if release.ModuleOptions, err = readModuleOptions(cp); err != nil {
		return nil, err
	}
	t.releases = []Release{release}
	if err := t.link(t.supers()); err != nil {
		return nil, err
	}
	t.build = fingerprintOf(t).build()
	return t, nil
}

// messageClasses lists the deploy messages. The companion object of a case class (Foo$ beside Foo) never travels;
// a message without fields is such an object alone (MasterInStandby$) and does.
func messageClasses(cp *classfile.ClassPath) ([]string, error) {
	all, err := cp.List(deployMessages)
	if err != nil {
		return nil, err
	}
	names := slices.DeleteFunc(slices.Clone(all), func(name string) bool {
		class, isObject := strings.CutSuffix(name, "$")
		return isObject && (name == deployMessages || slices.Contains(all, class))
	})
	if len(names) == 0 {
		return nil, fmt.Errorf("%w: no class %s* in the jars: this is no Spark 3 or 4", ErrNoJars, deployMessages)
	}
	return names, nil
}

// add describes one class with its superclasses; it passes over one that this release does not have or that is not serializable.
func (t *Table) add(cp *classfile.ClassPath, name string) error {
	d, err := classfile.Describe(cp, name)
	if errors.Is(err, classfile.ErrNotFound) || errors.Is(err, classfile.ErrNotSerializable) {
		return nil
	} else if err != nil {
		return err
	}
	for ; d != nil; d = d.Super {
		if _, jdk := classfile.JDK(d.Name); !jdk && t.classes[d.Name] == nil {
			t.classes[d.Name] = d
		}
	}
	return nil
}

// supers names every class's superclass. Descriptors that Describe made one by one have copies of their superclasses; link
// makes them share the table's.
func (t *Table) supers() map[string]string {
	supers := make(map[string]string)
	for name, d := range t.classes {
		if d.Super != nil {
			supers[name] = d.Super.Name
		}
	}
	return supers
}

func probe(cp *classfile.ClassPath) (int64, error) {
	d, err := classfile.Describe(cp, ProbeClass)
	if err != nil {
		return 0, err
	}
	return d.SUID, nil
}

// readModuleOptions takes the JVM options out of JavaModuleOptions' string literals.
func readModuleOptions(cp *classfile.ClassPath) ([]string, error) {
	c, err := cp.Find(moduleOptions)
	if err != nil {
		return nil, fmt.Errorf("read the default JVM options of executors: %w", err)
	}
	var options []string
	for _, s := range c.Strings() {
		if strings.HasPrefix(s, "-") {
			options = append(options, s)
		}
	}
	return options, nil
}
