package messages

import (
	"fmt"

	"github.com/firesteel/firesteel/spark/javaser"
	"github.com/firesteel/firesteel/spark/scala"
)

// ApplicationDescription is org.apache.spark.deploy.ApplicationDescription. The fields are for reading; what is written
// is Tree, and only without one the fields.
type ApplicationDescription struct {
	Name                 string
	User                 string
	MaxCores             *int // spark.cores.max; nil for as many as there are
	Command              Command
	AppUIURL             string
	DefaultProfile       ResourceProfile
	EventLogDir          string // URI; "" for none
	EventLogCodec        string
	InitialExecutorLimit *int // of dynamic allocation; nil for none

	// Tree is the description as it came: shared, not to be changed, to be sent to workers of the build it came from.
	Tree *javaser.Object
}

// DriverDescription is org.apache.spark.deploy.DriverDescription. As with ApplicationDescription, Tree is what is written.
type DriverDescription struct {
	JarURL       string
	MemoryMB     int
	Cores        int
	Supervise    bool // to be started again when it fails
	Command      Command
	ResourceReqs []ResourceRequirement

	Tree *javaser.Object
}

// Command is org.apache.spark.deploy.Command: a Java process to start.
type Command struct {
	MainClass   string
	Arguments   []string // with placeholders: {{EXECUTOR_ID}}, {{WORKER_URL}}...
	Environment map[string]string
	ClassPath   []string
	LibraryPath []string
	JavaOpts    []string
}

func readApplicationDescription(p *parser, v javaser.Value) (*ApplicationDescription, error) {
	r, err := fields(p, v, classAppDescription)
	if err != nil {
		return nil, err
	}
	d := &ApplicationDescription{
		Name:                 r.str("name"),
		User:                 r.text("user"),
		MaxCores:             option(r, "maxCores", readInt),
		Command:              take(r, "command", readCommand),
		AppUIURL:             r.text("appUiUrl"),
		DefaultProfile:       take(r, "defaultProfile", readResourceProfile),
		EventLogCodec:        r.optionText("eventLogCodec"),
		InitialExecutorLimit: option(r, "initialExecutorLimit", readInt),
		Tree:                 r.o,
	}
	if dir := option(r, "eventLogDir", readURI); dir != nil {
		d.EventLogDir = *dir
	}
	return d, r.err
}

func readDriverDescription(p *parser, v javaser.Value) (*DriverDescription, error) {
	r, err := fields(p, v, classDriverDescription)
	if err != nil {
		return nil, err
	}
	d := &DriverDescription{
		JarURL:       r.text("jarUrl"),
		MemoryMB:     r.int("mem"),
		Cores:        r.int("cores"),
		Supervise:    r.bool("supervise"),
		Command:      take(r, "command", readCommand),
		ResourceReqs: list(r, "resourceReqs", readResourceRequirement),
		Tree:         r.o,
	}
	return d, r.err
}

func readCommand(p *parser, v javaser.Value) (Command, error) {
	r, err := fields(p, v, classCommand)
	if err != nil {
		return Command{}, err
	}
	c := Command{
		MainClass:   r.str("mainClass"),
		Arguments:   r.strs("arguments"),
		Environment: stringMap(r, "environment", readString),
		ClassPath:   r.strs("classPathEntries"),
		LibraryPath: r.strs("libraryPathEntries"),
		JavaOpts:    r.strs("javaOpts"),
	}
	return c, r.err
}

func readURI(p *parser, v javaser.Value) (string, error) {
	r, err := fields(p, v, classURI)
	if err != nil {
		return "", err
	}
	s := r.str("string")
	return s, r.err
}

func (b *builder) applicationDescription(d *ApplicationDescription) javaser.Value {
	switch {
	case d == nil:
		b.note(fmt.Errorf("%w: no application description", ErrMalformed))
		return nil
	case d.Tree != nil:
		return d.Tree
	}
	eventLogDir := b.None()
	if d.EventLogDir != "" {
		eventLogDir = b.Some(b.Object(classURI, scala.F{Name: "string", Value: d.EventLogDir}))
	}
	return b.Object(classAppDescription,
		scala.F{Name: "name", Value: d.Name},
		scala.F{Name: "user", Value: d.User},
		scala.F{Name: "maxCores", Value: b.optionInt(d.MaxCores)},
		scala.F{Name: "command", Value: b.command(d.Command)},
		scala.F{Name: "appUiUrl", Value: d.AppUIURL},
		scala.F{Name: "defaultProfile", Value: b.resourceProfile(d.DefaultProfile)},
		scala.F{Name: "eventLogDir", Value: eventLogDir},
		scala.F{Name: "eventLogCodec", Value: b.optionText(d.EventLogCodec)},
		scala.F{Name: "initialExecutorLimit", Value: b.optionInt(d.InitialExecutorLimit)})
}

func (b *builder) driverDescription(d *DriverDescription) javaser.Value {
	switch {
	case d == nil:
		b.note(fmt.Errorf("%w: no driver description", ErrMalformed))
		return nil
	case d.Tree != nil:
		return d.Tree
	}
	return b.Object(classDriverDescription,
		scala.F{Name: "jarUrl", Value: d.JarURL},
		scala.F{Name: "mem", Value: b.i32(d.MemoryMB)},
		scala.F{Name: "cores", Value: b.i32(d.Cores)},
		scala.F{Name: "supervise", Value: d.Supervise},
		scala.F{Name: "command", Value: b.command(d.Command)},
		scala.F{Name: "resourceReqs", Value: listOf(b, d.ResourceReqs, b.resourceRequirement)})
}

func (b *builder) command(c Command) javaser.Value {
	return b.Object(classCommand,
		scala.F{Name: "mainClass", Value: c.MainClass},
		scala.F{Name: "arguments", Value: b.Strings(c.Arguments)},
		scala.F{Name: "environment", Value: mapOf(b, c.Environment, func(_, v string) javaser.Value { return v })},
		scala.F{Name: "classPathEntries", Value: b.Strings(c.ClassPath)},
		scala.F{Name: "libraryPathEntries", Value: b.Strings(c.LibraryPath)},
		scala.F{Name: "javaOpts", Value: b.Strings(c.JavaOpts)})
}
