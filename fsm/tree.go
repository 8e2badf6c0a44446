package fsm

import iradix "github.com/hashicorp/go-immutable-radix/v2"

// edit is a tree of the state while an entry of the log is carried out. Most entries change a few of the trees: the others
// cost nothing, and stay the same tree.
type edit[T any] struct {
	tree *iradix.Tree[T]
	tx   *iradix.Txn[T] // nil until something is written
}

func editOf[T any](tree *iradix.Tree[T]) edit[T] { return edit[T]{tree: tree} }

func (e *edit[T]) Get(key []byte) (T, bool) {
	if e.tx != nil {
		return e.tx.Get(key)
	}
	return e.tree.Get(key)
}

// Root is for a walk, which does not survive a write.
func (e *edit[T]) Root() *iradix.Node[T] {
	if e.tx != nil {
		return e.tx.Root()
	}
	return e.tree.Root()
}

// Insert gives what was there before, if anything was.
func (e *edit[T]) Insert(key []byte, v T) (old T, replaced bool) {
	if e.tx == nil {
		e.tx = e.tree.Txn()
	}
	return e.tx.Insert(key, v)
}

// Delete gives what was there.
func (e *edit[T]) Delete(key []byte) (old T, ok bool) {
	if e.tx == nil {
		if old, ok = e.tree.Get(key); !ok {
			return old, false
		}
		e.tx = e.tree.Txn()
	}
	return e.tx.Delete(key)
}

func (e *edit[T]) commit() *iradix.Tree[T] {
	if e.tx == nil {
		return e.tree
	}
	return e.tx.Commit()
}
