package scheduler

import (
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/firesteel/firesteel/fsm"
)

// need is what one executor, or one driver, takes from a worker.
type need struct {
	build     string
	cores     int // at least 1
	memory    int // MiB
	resources []fsm.ResourceAmount
}

// slot is a worker that could take something, with what is still free on it in this pass.
type slot struct {
	w      *fsm.Worker
	cores  int
	memory int
	key    int            // its place by the policy; see view.less
	taken  map[string]int // addresses of custom resources that this pass has given away
	idle   bool           // nothing ran on it, and this pass has placed nothing there

	asked, excluded bool // whether it is excluded, once that has been asked

	// A worker's builds are looked at only when one is asked for, and then remembered: bit i stands for builds[i].
	known, runs uint64
}

// free is how many addresses of a custom resource are left.
func (s *slot) free(name string) int { return s.w.ResourcesFree(name) - s.taken[name] }

// hasResources tells whether n needs fit at once.
func (s *slot) hasResources(needs []fsm.ResourceAmount, n int) bool {
	for i := range needs {
		if s.free(needs[i].Name) < n*needs[i].Amount {
			return false
		}
	}
	return true
}

// view is the free capacity of the cluster in one pass. Capacity only shrinks in a pass, which is what the caches rest on.
//
// Where the state has the workers in the policy's order already, they are drawn from there as they are needed: a pass
// that places one executor then looks at one worker, however large the cluster.
type view struct {
	policy  Policy
	exclude func(string) bool
	slots   []slot  // only ALIVE workers with something free; by worker id unless they are drawn
	order   []int32 // slots that still have something free, in the policy's order; valid if sorted
	sorted  bool

	source *fsm.Free   // workers that are not drawn yet, in the policy's order; nil where all are in slots
	head   *fsm.Worker // the next of source; nil where there is none

	failures int // searches that found nothing

	builds []string
	// atMost is, for a build and a core count, the most memory that is free on any worker that runs the one and has the
	// other: what asks for more fails without another look.
	atMost map[coresOfBuild]int
	// lastFailed is the entry that was met last. Neighbours ask for the same most of the time, and comparing with it
	// does not read the build's text where equal builds are the same string.
	lastFailed struct {
		coresOfBuild
		memory int
	}
	// failed holds needs with custom resources that found no worker.
	failed map[string]struct{}
	// firstFit is where the search for a driver of a shape goes on in first-fit mode.
	firstFit map[shape]int

	open    []int32 // scratch of assign
	granted []grant
	scratch []byte
}

type coresOfBuild struct {
	build string
	cores int
}

type shape struct {
	coresOfBuild
	memory int
}

// views are reused: a pass over thousands of workers should not cost a fresh half megabyte each time.
var views = sync.Pool{New: func() any {
	return &view{atMost: map[coresOfBuild]int{}, failed: map[string]struct{}{}, firstFit: map[shape]int{}}
}}

// newView takes what is free on every worker that may be given something, all of it at once and by the workers' ids where
// that is asked for. release gives the memory back.
func newView(s *fsm.State, policy Policy, exclude func(string) bool, byID bool) *view {
	v := views.Get().(*view)
	v.policy, v.exclude = policy, exclude
	if policy.byCores() && !byID {
		v.source, v.sorted = s.FreeByCores(policy.descending()), true
		v.nextHead()
		return v
	}
	v.slots = slices.Grow(v.slots, s.FreeCount())
	if s.FreeCount() < s.WorkerCount()/8 {
		for f := s.FreeByCores(false); ; {
			w, ok := f.Next()
			if !ok {
				break
			}
			v.add(w)
		}
		slices.SortFunc(v.slots, func(a, b slot) int { return strings.Compare(a.w.ID, b.w.ID) })
		return v
	}
	for w := range s.Workers() {
		if w.State == fsm.WorkerAlive && w.CoresFree() > 0 && w.MemoryFreeMB() > 0 {
			v.add(w)
		}
	}
	return v
}

func (v *view) add(w *fsm.Worker) {
	v.slots = append(v.slots, slot{w: w, cores: w.CoresFree(), memory: w.MemoryFreeMB(), idle: w.CoresUsed == 0 && w.MemoryUsedMB == 0})
}

// usable tells whether a worker is not excluded. That is asked of those only that are about to be used: it costs more than
// all the rest that a pass does with a worker.
func (v *view) usable(s *slot) bool {
	if !s.asked {
		s.asked, s.excluded = true, v.exclude != nil && v.exclude(s.w.ID)
	}
	return !s.excluded
}

// nextHead finds the next worker of the source that may be given something.
func (v *view) nextHead() {
	for {
		w, ok := v.source.Next()
		if !ok {
			v.head = nil
			return
		}
		if v.exclude == nil || !v.exclude(w.ID) {
			v.head = w
			return
		}
	}
}

// at gives the slot at a place of the order; ok is false behind the last one.
func (v *view) at(place int) (i int32, ok bool) {
	for v.head != nil && (place >= len(v.order) || v.headBefore(v.order[place])) {
		i := int32(len(v.slots))
		v.slots = append(v.slots, slot{w: v.head, cores: v.head.CoresFree(), memory: v.head.MemoryFreeMB(), asked: true})
		v.slots[i].key = v.policy.key(v.slots[i].cores, v.slots[i].memory)
		v.order = slices.Insert(v.order, v.find(i), i)
		v.nextHead()
	}
	if place >= len(v.order) {
		return 0, false
	}
	return v.order[place], true
}

// headBefore tells whether the next worker of the source comes before a slot by the policy.
func (v *view) headBefore(i int32) bool {
	if d := v.policy.key(v.head.CoresFree(), v.head.MemoryFreeMB()) - v.slots[i].key; d != 0 {
		return d < 0
	}
	return v.policy.byID(v.head.ID, v.slots[i].w.ID) < 0
}

// empty tells that nothing is left to give.
func (v *view) empty() bool { return v.head == nil && len(v.order) == 0 }

func (v *view) release() {
	clear(v.slots) // no worker record is kept alive by the pool
	clear(v.builds)
	clear(v.atMost)
	clear(v.failed)
	clear(v.firstFit)
	v.slots, v.order, v.builds, v.sorted = v.slots[:0], v.order[:0], v.builds[:0], false
	v.source, v.head, v.exclude, v.failures = nil, nil, nil, 0
	v.lastFailed.coresOfBuild = coresOfBuild{}
	views.Put(v)
}

// less is the policy's order. Where the slots are by id, the index of one stands for its worker's.
func (v *view) less(a, b int32) int {
	if d := v.slots[a].key - v.slots[b].key; d != 0 {
		return d
	}
	if v.source != nil {
		return v.policy.byID(v.slots[a].w.ID, v.slots[b].w.ID)
	}
	if v.policy.descending() {
		return int(b - a)
	}
	return int(a - b)
}

// sort orders the workers by the policy, once; take keeps them ordered.
func (v *view) sort() {
	if v.sorted {
		return
	}
	v.sorted = true
	v.order = slices.Grow(v.order[:0], len(v.slots))
	for i := range v.slots {
		sl := &v.slots[i]
		if sl.cores > 0 && sl.memory > 0 {
			sl.key = v.policy.key(sl.cores, sl.memory)
			v.order = append(v.order, int32(i))
		}
	}
	if v.policy != WorkerID {
		slices.SortFunc(v.order, v.less)
	}
}

// buildBit gives the bit of a build, 0 where there are too many builds to remember.
func (v *view) buildBit(build string) uint64 {
	for i, b := range v.builds {
		if b == build {
			return 1 << i
		}
	}
	if len(v.builds) == 64 {
		return 0
	}
	v.builds = append(v.builds, build)
	return 1 << (len(v.builds) - 1)
}

func (s *slot) runsBuild(build string, bit uint64) bool {
	if bit == 0 {
		return s.w.Runs(build)
	}
	if s.known&bit == 0 {
		s.known |= bit
		if s.w.Runs(build) {
			s.runs |= bit
		}
	}
	return s.runs&bit != 0
}

// hopeless tells that no worker can take this need, from what the pass has seen so far.
func (v *view) hopeless(n *need) bool {
	key := coresOfBuild{n.build, n.cores}
	if key == v.lastFailed.coresOfBuild && n.memory > v.lastFailed.memory {
		return true
	}
	if most, ok := v.atMost[key]; ok && n.memory > most {
		v.lastFailed.coresOfBuild, v.lastFailed.memory = key, most
		return true
	}
	if len(n.resources) == 0 || len(v.failed) == 0 {
		return false
	}
	_, ok := v.failed[string(v.signature(n))]
	return ok
}

// signature names a need with custom resources. Names and builds are separated by a byte that neither holds.
func (v *view) signature(n *need) []byte {
	b := append(v.scratch[:0], n.build...)
	b = appendInt(append(b, 0), n.cores)
	b = appendInt(b, n.memory)
	for _, r := range n.resources {
		b = append(append(b, r.Name...), 0)
		b = appendInt(b, r.Amount)
	}
	v.scratch = b
	return b
}

func appendInt(b []byte, n int) []byte {
	for i := 0; i < 8; i++ {
		b = append(b, byte(n>>(8*i)))
	}
	return b
}

// search walks slots and remembers, if none fits, what that says about later needs.
type search struct {
	v    *view
	n    *need
	bit  uint64
	most int // the most free memory on a worker with the build and the cores
}

func (v *view) search(n *need) search { return search{v: v, n: n, bit: v.buildBit(n.build), most: -1} }

func (q *search) fits(s *slot) bool {
	if s.cores < q.n.cores || s.memory < q.n.memory && s.memory <= q.most || !s.runsBuild(q.n.build, q.bit) || !q.v.usable(s) {
		return false
	}
	q.most = max(q.most, s.memory)
	return s.memory >= q.n.memory && s.hasResources(q.n.resources, 1)
}

// gaveUp records a search that has looked at every worker and found none.
func (v *view) gaveUp(q *search) {
	v.failures++
	v.atMost[coresOfBuild{q.n.build, q.n.cores}] = q.most
	if len(q.n.resources) > 0 {
		v.failed[string(v.signature(q.n))] = struct{}{}
	}
}

// take books what has been placed on a slot and keeps the order.
func (v *view) take(i int32, cores, memory int, res []fsm.ResourceAmount, times int) {
	if !v.sorted {
		v.book(i, cores, memory, res, times)
		return
	}
	at := v.find(i)
	v.book(i, cores, memory, res, times)
	v.move(at, i)
}

func (v *view) book(i int32, cores, memory int, res []fsm.ResourceAmount, times int) {
	s := &v.slots[i]
	s.cores -= cores
	s.memory -= memory
	s.idle = false
	for _, r := range res {
		if s.taken == nil {
			s.taken = map[string]int{}
		}
		s.taken[r.Name] += r.Amount * times
	}
}

// find is the place of a slot in the order.
func (v *view) find(i int32) int {
	return sort.Search(len(v.order), func(j int) bool { return v.less(v.order[j], i) >= 0 })
}

// move brings the slot at a place to where it belongs now, or drops it if it has nothing left.
func (v *view) move(at int, i int32) {
	s := &v.slots[i]
	v.order = slices.Delete(v.order, at, at+1)
	if s.cores <= 0 || s.memory <= 0 {
		return
	}
	s.key = v.policy.key(s.cores, s.memory)
	v.order = slices.Insert(v.order, v.find(i), i)
}

// takeMany books many grants at once and then puts the order right in one go.
func (v *view) takeMany(grants []grant, memory int, res []fsm.ResourceAmount) {
	if len(grants) < len(v.order)/16 || len(grants) < 8 {
		for _, g := range grants {
			v.take(g.slot, g.cores, g.executors*memory, res, g.executors)
		}
		return
	}
	for _, g := range grants {
		v.book(g.slot, g.cores, g.executors*memory, res, g.executors)
	}
	v.sorted = false
	v.sort()
}
