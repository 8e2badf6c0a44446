package submission

import "testing"

// FuzzCreate: whatever a body holds, it is taken or refused, and what is taken can be described.
func FuzzCreate(f *testing.F) {
	f.Add([]byte(`{"action":"CreateSubmissionRequest","clientSparkVersion":"4.3.0","appResource":"a.jar","mainClass":"M","sparkProperties":{"spark.driver.cores":"1"}}`))
	f.Add([]byte(`{"action":"CreateSubmissionRequest","appArgs":[1,{}],"sparkProperties":{"a":null}}`))
	f.Add([]byte("[[[[["))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := ParseRequest(body)
		if err != nil {
			return
		}
		if d, err := r.Describe(Context{Masters: "spark://m:7077"}); err == nil && (d.Cores < 0 || d.MemoryMB < 0) {
			t.Errorf("%d cores, %d MiB", d.Cores, d.MemoryMB)
		}
	})
}
