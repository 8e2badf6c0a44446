package fsm

import "hash/crc32"

// A driver registers with every master at once, and each copy is held while nobody leads or travels while the network is
// cut. One may come when the driver has ended already, and what it registered with another copy, too; it must not make
// a second application, which no driver would ever answer for (seen in a storm: chaos/storm, seed 3).

// clockSlack is how far apart the clocks of masters may be for completed applications to count as in the order of their
// ends, in milliseconds.
const clockSlack = 1000

// lateCopy finds the application that a registration is a late copy of: the same registration from the same address, taken by a
// master before that application ended. A driver that comes later to a fixed spark.driver.port is taken after that.
func (t *txn) lateCopy(in *App) (*App, bool) {
	it := t.completedApps.Root().ReverseIterator()
	for _, c, ok := it.Previous(); ok && c.App.Ended+clockSlack > in.Submitted; _, c, ok = it.Previous() {
		a := c.App
		if a.Ended > in.Submitted && a.DriverPort == in.DriverPort && a.DriverHost == in.DriverHost && a.DescriptionSum == descriptionSum(in.Description) {
			return a, true
		}
	}
	return nil, false
}

// descriptionSum stands for a description that is not kept.
func descriptionSum(description []byte) uint32 { return crc32.Checksum(description, castagnoli) }
