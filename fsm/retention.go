package fsm

// Completed applications and drivers are kept as Master.removeApplication and removeDriver keep them: when there are
// `retained` of them or more, the oldest max(retained/10, 1) go before the next one comes.

func (t *txn) keepApp(c *CompletedApp, retained int) {
	t.c.EndSeq++
	c.EndSeq = t.c.EndSeq
	t.completedAppCount -= trim(&t.completedApps, t.completedAppCount, retained)
	t.completedApps.Insert(seqKey(c.EndSeq), c)
	t.completedAppCount++
}

func (t *txn) keepDriver(d *Driver, retained int) {
	t.c.EndSeq++
	d.EndSeq = t.c.EndSeq
	t.completedDriverCount -= trim(&t.completedDrivers, t.completedDriverCount, retained)
	t.completedDrivers.Insert(seqKey(d.EndSeq), d)
	t.completedDriverCount++
}

// defaultRetained serves a command that carries no setting (spark.deploy.retainedApplications, retainedDrivers).
const defaultRetained = 200

// keepAll is for a command whose business retention is not: nothing goes now, and the next end that brings the setting
// makes up for it.
const keepAll = -1

func trim[T any](tx *edit[T], count, retained int) (dropped int) {
	if retained == keepAll {
		return 0
	}
	if retained <= 0 {
		retained = defaultRetained
	}
	if count < retained {
		return 0
	}
	for n := max(retained/10, 1, count-retained+1); dropped < n && dropped < count; dropped++ {
		key, _, _ := first(tx)
		tx.Delete(key)
	}
	return dropped
}

func (t *txn) clearCompleted() (any, *Refusal) {
	for key, _, ok := first(&t.completedApps); ok; key, _, ok = first(&t.completedApps) {
		t.completedApps.Delete(key)
	}
	for key, _, ok := first(&t.completedDrivers); ok; key, _, ok = first(&t.completedDrivers) {
		t.completedDrivers.Delete(key)
	}
	t.completedAppCount, t.completedDriverCount = 0, 0
	return nil, nil
}
