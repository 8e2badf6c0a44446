package delay

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if !For(ctx, 0) || !For(ctx, -time.Second) || time.Since(began) != 0 {
			t.Errorf("nothing was waited for in %s", time.Since(began))
		}
		if !For(ctx, 2*time.Second) || time.Since(began) != 2*time.Second {
			t.Errorf("2 s took %s", time.Since(began))
		}
		if For(ctx, time.Hour) || time.Since(began) != 3*time.Second {
			t.Errorf("the end of the context came after %s", time.Since(began))
		}
		if For(ctx, 0) || For(ctx, time.Second) || time.Since(began) != 3*time.Second {
			t.Error("an ended context is waited with")
		}
	})
}
