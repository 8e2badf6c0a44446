package fsm

import "testing"

// A copy of a registration that comes when its application has ended makes no second one; whoever registers from the
// address after that end does.
func TestLateCopyOfARegistration(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		late func(a *App)
		copy bool
	}{
		"the very copy":                         {func(a *App) { a.Submitted = 1200 }, true},
		"one that was taken first":              {func(a *App) { a.Submitted = 900 }, true},
		"registered after the end":              {func(a *App) { a.Submitted = 5000 }, false},
		"in the millisecond of the end":         {func(a *App) { a.Submitted = 4000 }, false},
		"another program from the same address": {func(a *App) { a.Submitted, a.Description = 1200, []byte("other") }, false},
		"the same program from another address": {func(a *App) { a.Submitted, a.DriverPort = 1200, 99 }, false},
	} {
		h := newHarness(t)
		a := testApp(1)
		a.Submitted = 1000
		var first AppRegistered
		h.do(&RegisterApplication{App: a, ID: appIDs}, &first)
		h.do(&FinishApplication{AppID: first.AppID, State: AppFinished, At: 4000}, nil)
		for i := range 3 { // others that ended meanwhile, a little out of order
			b := testApp(10 + i)
			b.Submitted = 2000
			var done AppRegistered
			h.do(&RegisterApplication{App: b, ID: appIDs}, &done)
			h.do(&FinishApplication{AppID: done.AppID, State: AppFinished, At: 4500 - int64(i)*300}, nil)
		}
		h = h.restored() // what a late copy is known by is part of a snapshot
		late := testApp(1)
		c.late(&late)
		var again AppRegistered
		h.do(&RegisterApplication{App: late, ID: appIDs}, &again)
		if again.Duplicate != c.copy || (again.AppID == first.AppID) != c.copy || (h.m.State().AppCount() == 0) != c.copy {
			t.Errorf("%s: %+v, first %+v, %d live", name, again, first, h.m.State().AppCount())
		}
	}
}
