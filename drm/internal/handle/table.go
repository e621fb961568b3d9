// Package handle is the names by which an open file knows counted objects:
// small integers from 1, the lowest free one first. Packages gem (buffers) and
// syncobj keep their objects in it.
//
// Lock order: [Table].mu is held while a reference is taken; nothing else is.
package handle

import (
	"slices"
	"sync"
)

// An Object is counted: each handle holds a reference.
type Object interface {
	comparable
	Get() // takes a reference; the caller holds one already
}

// A Table is the handles of one file. The zero value has none. All methods may
// be called concurrently.
type Table[T Object] struct {
	mu      sync.Mutex
	objects []T // by handle-1, zero where free
	lowest  int // no free index is below it
}

// Create gives o, and the caller's reference with it, the lowest free handle.
func (t *Table[T]) Create(o T) uint32 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.create(o)
}

// FindOrCreate returns the lowest handle of o. When there is none it makes one,
// which takes over the caller's reference; created says so.
func (t *Table[T]) FindOrCreate(o T) (handle uint32, created bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := slices.Index(t.objects, o); i >= 0 {
		return uint32(i + 1), false
	}
	return t.create(o), true
}

// create is called with mu held.
func (t *Table[T]) create(o T) uint32 {
	var free T
	i := t.lowest
	for i < len(t.objects) && t.objects[i] != free {
		i++
	}
	if i == len(t.objects) {
		t.objects = append(t.objects, free)
	}
	t.objects[i] = o
	t.lowest = i + 1
	return uint32(i + 1)
}

// Lookup returns the object with that handle, and a reference for the caller.
func (t *Table[T]) Lookup(handle uint32) (o T, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if o, ok = t.at(handle); ok {
		o.Get()
	}
	return o, ok
}

// at is called with mu held.
func (t *Table[T]) at(handle uint32) (o T, ok bool) {
	var free T
	if handle == 0 || uint64(handle) > uint64(len(t.objects)) {
		return free, false
	}
	o = t.objects[handle-1]
	return o, o != free
}

// Has reports whether o has a handle.
func (t *Table[T]) Has(o T) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Contains(t.objects, o)
}

// Remove frees the handle and returns its object, whose reference is the
// caller's now.
func (t *Table[T]) Remove(handle uint32) (o T, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if o, ok = t.at(handle); ok {
		var free T
		t.objects[handle-1] = free
		t.lowest = min(t.lowest, int(handle-1))
	}
	return o, ok
}

// Clear frees all handles and returns their objects, whose references are the
// caller's now.
func (t *Table[T]) Clear() []T {
	t.mu.Lock()
	defer t.mu.Unlock()
	var free T
	objects := slices.DeleteFunc(t.objects, func(o T) bool { return o == free })
	t.objects, t.lowest = nil, 0
	return objects
}
