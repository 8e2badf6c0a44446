package worker

import (
	"maps"
	"testing"
)

func TestCommandProperties(t *testing.T) {
	t.Parallel()
	c := Command{JavaOpts: []string{"-Dspark.a=1", "-Xmx1g", "-Dspark.b=x=y z", "-Dother=2", "-Dspark.a=3", "-Dspark.empty=", "-Dspark.flag"}}
	want := map[string]string{"spark.a": "3", "spark.b": "x=y z", "spark.empty": ""}
	if got := c.properties(); !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
