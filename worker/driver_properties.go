package worker

import "strings"

// properties are the Spark properties that a command gives its JVM as options: what SparkConf of that JVM will read
// (Utils.sparkJavaOpts wrote them). The last of equal keys wins, as in a JVM.
func (c Command) properties() map[string]string {
	found := map[string]string{}
	for _, option := range c.JavaOpts {
		if key, value, ok := strings.Cut(option, "="); ok && strings.HasPrefix(key, "-Dspark.") {
			found[strings.TrimPrefix(key, "-D")] = value
		}
	}
	return found
}
