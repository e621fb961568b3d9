package host

import (
	"container/list"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/thread"
)

// A rotation is a map whose entries take turns. The zero value is empty.
type rotation[K comparable, V any] struct {
	entries map[K]*list.Element
	order   list.List // of *rotated, next one first
}

type rotated[K comparable, V any] struct {
	key   K
	value V
}

func (r *rotation[K, V]) len() int { return r.order.Len() }

// at returns the entry of a key, or a new one.
func (r *rotation[K, V]) at(key K) *V {
	e := r.entries[key]
	if e == nil {
		if r.entries == nil {
			r.entries = make(map[K]*list.Element)
		}
		e = r.order.PushBack(&rotated[K, V]{key: key})
		r.entries[key] = e
	}
	return &e.Value.(*rotated[K, V]).value
}

func (r *rotation[K, V]) remove(key K) {
	if e := r.entries[key]; e != nil {
		r.order.Remove(e)
		delete(r.entries, key)
	}
}

// front returns the entry whose turn it is. The rotation must not be empty.
func (r *rotation[K, V]) front() (K, *V) {
	e := r.order.Front().Value.(*rotated[K, V])
	return e.key, &e.value
}

// rotate ends the turn of an entry.
func (r *rotation[K, V]) rotate(key K) { r.order.MoveToBack(r.entries[key]) }

// all iterates over the entries in order. The current one may be removed.
func (r *rotation[K, V]) all(yield func(K, *V) bool) {
	for e := r.order.Front(); e != nil; {
		next := e.Next()
		if v := e.Value.(*rotated[K, V]); !yield(v.key, &v.value) {
			return
		}
		e = next
	}
}

// isThreadOf reports whether a thread belongs to a process.
func isThreadOf(tid thread.ID, pid int) bool {
	return unix.Tgkill(pid, int(tid), 0) != unix.ESRCH // EPERM says that it does
}

// processOf returns the process of a thread, or the thread's id if it has ended.
func processOf(tid thread.ID) int {
	if isThreadOf(tid, int(tid)) {
		return int(tid) // the first thread of a process
	}
	if pid, err := tid.Process(); err == nil {
		return pid
	}
	return int(tid)
}
