package worker

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/firesteel/firesteel/config"
)

const shuffleClass = "org.apache.spark.deploy.ExternalShuffleService"

var errMaxHeap = errors.New("it may not set the maximum heap with -Xmx; use SPARK_DAEMON_MEMORY")

// shuffleCommand makes the command line of the shuffle service as bin/spark-class does (SparkClassCommandBuilder):
// SPARK_DAEMON_MEMORY, SPARK_DAEMON_CLASSPATH, SPARK_DAEMON_JAVA_OPTS, SPARK_SHUFFLE_OPTS. dir is private to it: the
// worker's settings stand there in a spark-defaults.conf, so that no command line shows them, and its database.
func shuffleCommand(cfg ShuffleConfig, dir string) (Launch, error) {
	options, settings, err := shuffleOptions(cfg)
	if err != nil {
		return Launch{}, err
	}
	settings["spark.shuffle.service.enabled"] = "true"
	settings["spark.shuffle.service.port"] = strconv.Itoa(cfg.Settings.Port)
	settings["spark.local.dir"] = dir // where it keeps which executors have registered
	secret := cmp.Or(cfg.AuthSecret, settings["spark.authenticate.secret"])
	delete(settings, "spark.authenticate.secret")
	if err := writeProperties(filepath.Join(dir, "spark-defaults.conf"), settings); err != nil {
		return Launch{}, fmt.Errorf("settings of the shuffle service: %w", err)
	}
	memory := 1024
	if text := cfg.Env.Get("SPARK_DAEMON_MEMORY"); text != "" {
		if memory, err = config.ParseMemoryMiB(text); err != nil || memory < 1 {
			return Launch{}, fmt.Errorf("SPARK_DAEMON_MEMORY %q is no memory size such as 512m: %w", text, cmp.Or(err, config.ErrInvalid))
		}
	}
	c := child{
		command:   Command{MainClass: shuffleClass, JavaOpts: options, ClassPath: []string{cfg.Env.Get("SPARK_DAEMON_CLASSPATH")}},
		sparkHome: cfg.Home, memoryMiB: memory,
		// Only the properties are read from there; the class path has the real one, with the settings of its log.
		env: map[string]string{"SPARK_CONF_DIR": dir},
	}
	return c.launch(CommandConfig{Env: cfg.Env, AuthSecret: secret})
}

// shuffleOptions gives the JVM options of the shuffle service, and its settings: the worker's, under those of
// SPARK_SHUFFLE_OPTS.
func shuffleOptions(cfg ShuffleConfig) (options []string, settings map[string]string, err error) {
	settings = maps.Clone(cfg.Properties)
	if settings == nil {
		settings = map[string]string{}
	}
	for _, variable := range []string{"SPARK_DAEMON_JAVA_OPTS", "SPARK_SHUFFLE_OPTS"} {
		split, err := config.SplitOptions(cfg.Env.Get(variable))
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", variable, err)
		}
		for _, o := range split {
			if strings.HasPrefix(o, "-Xmx") {
				return nil, nil, fmt.Errorf("%s: %w", variable, errMaxHeap)
			}
			setting, ours := strings.CutPrefix(o, "-Dspark.")
			key, value, _ := strings.Cut(setting, "=")
			switch {
			case !ours:
				options = append(options, o)
			case variable == "SPARK_SHUFFLE_OPTS": // those of the other are among the worker's
				settings["spark."+key] = value
			}
		}
	}
	return options, settings, nil
}

// writeProperties writes a Java properties file that only this user can read.
func writeProperties(path string, settings map[string]string) error {
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		b.WriteString(escapeProperty(key) + "=" + escapeProperty(settings[key]) + "\n")
	}
	return os.WriteFile(path, []byte(b.String()), 0o600)
}

// escapeProperty writes what java.util.Properties reads back: everything that is special, and all but ASCII, is escaped.
func escapeProperty(s string) string {
	var b strings.Builder
	for _, unit := range utf16.Encode([]rune(s)) {
		switch {
		case strings.ContainsRune(`\=:#! `, rune(unit)):
			b.WriteString(`\` + string(rune(unit)))
		case unit < ' ' || unit > '~':
			fmt.Fprintf(&b, `\u%04X`, unit)
		default:
			b.WriteRune(rune(unit))
		}
	}
	return b.String()
}
