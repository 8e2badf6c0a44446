package fsm

import "errors"

// driverKey remembers which driver came of a submission that named itself, longer than the driver itself is kept.
type driverKey struct {
	Key      string `cbor:"1,keyasint"`
	DriverID string `cbor:"2,keyasint"`
	Until    int64  `cbor:"3,keyasint"` // when it may be forgotten
}

// maxDriverKeys bounds the memory that submitters can take: 65,536 keys of a day are one every 1.3 s. Where there are
// more, those that would be forgotten first are.
const maxDriverKeys = 1 << 16

// MaxDriverKey is the longest key in bytes.
const MaxDriverKey = 512

func keyEnd(k *driverKey) []byte { return append(seqKey(uint64(max(k.Until, 0))), k.Key...) }

func (t *txn) submittedAs(key string) (driverID string, ok bool) {
	if key == "" {
		return "", false
	}
	k, ok := t.driverKeys.Get([]byte(key))
	if !ok {
		return "", false
	}
	return k.DriverID, true
}

func (t *txn) keepKey(key, driverID string, until int64) {
	if key == "" {
		return
	}
	k := &driverKey{Key: key, DriverID: driverID, Until: until}
	t.putKey(k)
	if t.driverKeyCount > maxDriverKeys {
		_, oldest, _ := first(&t.keyEnds)
		t.dropKey(oldest)
	}
}

func (t *txn) putKey(k *driverKey) {
	t.driverKeys.Insert([]byte(k.Key), k)
	t.keyEnds.Insert(keyEnd(k), k)
	t.driverKeyCount++
}

func (t *txn) dropKey(k *driverKey) {
	t.driverKeys.Delete([]byte(k.Key))
	t.keyEnds.Delete(keyEnd(k))
	t.driverKeyCount--
}

// forgetKeys drops the keys whose time is over.
func (t *txn) forgetKeys(now int64) {
	for {
		_, k, ok := first(&t.keyEnds)
		if !ok || k.Until > now {
			return
		}
		t.dropKey(k)
	}
}

var errKeyTwice = errors.New("a submission's key comes twice")

func (t *txn) restoreKey(k *driverKey) error {
	if _, twice := t.driverKeys.Get([]byte(k.Key)); twice {
		return errKeyTwice
	}
	t.putKey(k)
	return nil
}
