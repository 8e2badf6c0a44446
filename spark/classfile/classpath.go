package classfile

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
)

// maxClassBytes bounds one class file. A method's code is at most 64 KiB, and the largest class of a Spark
// distribution is below 2 MiB.
const maxClassBytes = 16 << 20

var (
	// ErrNotFound tells that no jar of the class path has the class.
	ErrNotFound = errors.New("class not found")
	// ErrNotSerializable tells that the class exists but cannot be in an object stream.
	ErrNotSerializable = errors.New("class is not serializable")
)

// ClassPath finds classes in a list of jars, the first one wins. Jars are opened when a search first gets to them, so
// put the ones that matter first. It is safe for concurrent use.
type ClassPath struct {
	jars []*jar

	mu      sync.Mutex
	classes map[string]*Class // every class read so far
}

// OpenClassPath names the jars to search. It checks that they exist but reads nothing yet; Close frees what later
// searches open.
func OpenClassPath(jars ...string) (*ClassPath, error) {
	cp := &ClassPath{classes: make(map[string]*Class)}
	for _, path := range jars {
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("open class path: %w", err)
		}
		cp.jars = append(cp.jars, &jar{path: path})
	}
	return cp, nil
}

// Close closes every jar that was opened. The class path must not be used afterwards.
func (cp *ClassPath) Close() error {
	cp.mu.Lock()
	defer cp.mu.Unlock()
	var errs []error
	for _, j := range cp.jars {
		errs = append(errs, j.close())
	}
	return errors.Join(errs...)
}

// Find reads the class with the given binary name ("org.apache.spark.rpc.RpcAddress"). The result is shared: do not
// change it. The error wraps ErrNotFound, ErrFormat or what reading the jar gave.
func (cp *ClassPath) Find(name string) (*Class, error) {
	cp.mu.Lock()
	defer cp.mu.Unlock()
	if c, ok := cp.classes[name]; ok {
		return c, nil
	}
	entry := strings.ReplaceAll(name, ".", "/") + ".class"
	for _, j := range cp.jars {
		data, err := j.read(entry)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		var c *Class
		if err == nil {
			c, err = Parse(data)
		}
		if err == nil && c.Name != name {
			err = fmt.Errorf("%w: it holds class %s", ErrFormat, c.Name)
		}
		if err != nil {
			return nil, fmt.Errorf("read %s of %s: %w", entry, j.path, err)
		}
		cp.classes[name] = c
		return c, nil
	}
	return nil, fmt.Errorf("%w: %s in %d jars", ErrNotFound, name, len(cp.jars))
}

// List gives the binary names of all classes of all jars that start with prefix, in jar order.
func (cp *ClassPath) List(prefix string) ([]string, error) {
	cp.mu.Lock()
	defer cp.mu.Unlock()
	var names []string
	for _, j := range cp.jars {
		if err := j.open(); err != nil {
			return nil, err
		}
		for _, f := range j.reader.File {
			entry, isClass := strings.CutSuffix(f.Name, ".class")
			if name := strings.ReplaceAll(entry, "/", "."); isClass && strings.HasPrefix(name, prefix) {
				names = append(names, name)
			}
		}
	}
	return names, nil
}

// jar is one archive of a class path, opened on first use.
type jar struct {
	path    string
	reader  *zip.ReadCloser
	entries map[string]*zip.File
	err     error // why opening failed: it is not tried again
}

func (j *jar) open() error {
	if j.reader != nil || j.err != nil {
		return j.err
	}
	r, err := zip.OpenReader(j.path)
	if err != nil {
		j.err = fmt.Errorf("open jar %s: %w", j.path, err)
		return j.err
	}
	j.reader, j.entries = r, make(map[string]*zip.File, len(r.File))
	for _, f := range r.File {
		if _, dup := j.entries[f.Name]; !dup {
			j.entries[f.Name] = f
		}
	}
	return nil
}

func (j *jar) read(entry string) ([]byte, error) {
	if err := j.open(); err != nil {
		return nil, err
	}
	f, ok := j.entries[entry]
	if !ok {
		return nil, ErrNotFound
	}
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, maxClassBytes+1)) // what the directory claims as size may be a lie
	if err == nil && len(data) > maxClassBytes {
		err = fmt.Errorf("%w: more than %d bytes", ErrFormat, maxClassBytes)
	}
	return data, err
}

func (j *jar) close() error {
	if j.reader == nil {
		return nil
	}
	return j.reader.Close()
}
