package fetch

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/firesteel/firesteel/config"
)

// hadoop is Hadoop's configuration as a driver with these properties would see it on this worker.
type hadoop struct {
	settings settings
	files    map[string]string
	env      config.Env
}

// hadoopFiles are read from the first of the folders that has them, as from a class path.
var hadoopFiles = []string{"core-site.xml", "hdfs-site.xml"}

func loadHadoop(s settings, env config.Env) (hadoop, error) {
	h := hadoop{settings: s, files: map[string]string{}, env: env}
	for _, name := range hadoopFiles {
		for _, dir := range hadoopFolders(env) {
			found, err := h.read(filepath.Join(dir, name))
			if err != nil {
				return hadoop{}, err
			}
			if found {
				break
			}
		}
	}
	return h, nil
}

// hadoopFolders are those on the class path of Spark's Worker, and Hadoop's own.
func hadoopFolders(env config.Env) []string {
	var dirs []string
	add := func(variable, sub string) {
		if v := env.Get(variable); v != "" {
			dirs = append(dirs, filepath.Join(v, sub))
		}
	}
	add("SPARK_CONF_DIR", "")
	if env.Get("SPARK_CONF_DIR") == "" {
		add("SPARK_HOME", "conf")
	}
	add("HADOOP_CONF_DIR", "")
	add("YARN_CONF_DIR", "")
	add("HADOOP_HOME", "etc/hadoop")
	return dirs
}

func (h hadoop) read(path string) (found bool, err error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	var file struct {
		Property []struct {
			Name  string `xml:"name"`
			Value string `xml:"value"`
		} `xml:"property"`
	}
	if err == nil {
		err = xml.Unmarshal(raw, &file)
	}
	if err != nil {
		return false, fmt.Errorf("%w: Hadoop's configuration %s cannot be read: %w", ErrSettings, path, err)
	}
	for _, p := range file.Property {
		h.files[strings.TrimSpace(p.Name)] = p.Value
	}
	return true, nil
}

// layers are where a key may stand, strongest first.
func (h hadoop) layers() []func(key string) string {
	return []func(string) string{
		func(key string) string { return h.settings.driver["spark.hadoop."+key] },
		func(key string) string { v, _ := h.settings.worker("spark.hadoop." + key); return v },
		func(key string) string { return h.files[key] },
	}
}

// get gives the value of the first key that has one, "" if none has.
func (h hadoop) get(keys ...string) string {
	for _, key := range keys {
		for _, layer := range h.layers() {
			if v := layer(key); v != "" {
				return h.expand(v, 0)
			}
		}
	}
	return ""
}

var variable = regexp.MustCompile(`\$\{([^}$\s]+)\}`)

// expand replaces ${key} and ${env.NAME}; what nobody knows stays (Configuration.substituteVars).
func (h hadoop) expand(v string, depth int) string {
	if v = strings.TrimSpace(v); depth > 20 {
		return v
	}
	return variable.ReplaceAllStringFunc(v, func(ref string) string {
		name := ref[2 : len(ref)-1]
		if env, ok := strings.CutPrefix(name, "env."); ok {
			if value, set := h.env.Lookup(env); set {
				return value
			}
			return ref
		}
		for _, layer := range h.layers() {
			if value := layer(name); value != "" {
				return h.expand(value, depth+1)
			}
		}
		return ref
	})
}
