package fetch

import (
	"strings"
	"testing"
)

// FuzzResource: whatever is given as a driver's file, no secret of it is shown, and nothing panics.
func FuzzResource(f *testing.F) {
	for _, rest := range []string{"@h/x.jar", "@h:x/x.jar", "@h/%zz", "@a@b/c@d", "@h/x.jar?sig=s3cr3t&a", "@[::1/x", "@\x7f", "@h/x#s3cr3t@y"} {
		f.Add("http", rest)
		f.Add("s3a", rest)
	}
	f.Fuzz(func(t *testing.T, scheme, rest string) {
		if u, err := parse(scheme + rest); err == nil {
			_, _ = lastName(u)
		}
		_ = redacted(scheme + rest)
		if !strings.HasPrefix(rest, "@") || !hasScheme.MatchString(scheme+"://") {
			return
		}
		if shown := redacted(scheme + "://user:s3cr3t" + rest); strings.Contains(shown, ":s3cr3t@") {
			t.Errorf("%q is shown as %q", rest, shown)
		}
	})
}
