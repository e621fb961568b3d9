// Package handle hands out small integers from 1, the lowest free one first:
// the handles by which an open file knows buffers and sync objects, and the ids
// of the objects of a display.
//
// Lock order: [Table].mu is held while a reference is taken; nothing else is.
package handle

import (
	"iter"
	"maps"
	"slices"
	"sync"
)

// Slots are values by number. The zero value is empty, and the zero T marks a
// free number. The caller synchronizes all calls.
type Slots[T comparable] struct {
	values []T          // by number-1
	taken  bitmap       // indices of values
	far    map[uint32]T // with numbers that Put gave, beyond those of values
	used   int
}

// Add gives v the lowest free number.
func (s *Slots[T]) Add(v T) (number uint32) {
	i := s.taken.lowest()
	for ; i == len(s.values); i++ {
		other, taken := s.far[uint32(i+1)]
		s.values = append(s.values, other)
		if !taken {
			break
		}
		s.taken.take(i)
		delete(s.far, uint32(i+1))
	}
	s.values[i] = v
	s.taken.take(i)
	s.used++
	return uint32(i + 1)
}

// Put gives v a number, and reports whether that was free.
func (s *Slots[T]) Put(number uint32, v T) bool {
	if _, taken := s.At(number); taken || number == 0 {
		return false
	}
	s.used++
	if uint64(number) <= uint64(len(s.values)) {
		s.values[number-1] = v
		s.taken.take(int(number - 1))
		return true
	}
	if s.far == nil {
		s.far = make(map[uint32]T)
	}
	s.far[number] = v
	return true
}

// At returns the value of that number; ok is false if the number is free.
func (s *Slots[T]) At(number uint32) (v T, ok bool) {
	var free T
	if number == 0 {
		return free, false
	}
	if uint64(number) > uint64(len(s.values)) {
		v, ok = s.far[number]
		return v, ok
	}
	v = s.values[number-1]
	return v, v != free
}

// Free frees the number and returns the value that it had; ok is false if the
// number is free already.
func (s *Slots[T]) Free(number uint32) (v T, ok bool) {
	if v, ok = s.At(number); !ok {
		return v, false
	}
	s.used--
	if _, far := s.far[number]; far {
		delete(s.far, number)
		return v, true
	}
	var free T
	s.values[number-1] = free
	s.taken.release(int(number - 1))
	return v, true
}

// Len returns how many numbers are in use.
func (s *Slots[T]) Len() int { return s.used }

// All yields the numbers in use and their values, in ascending order.
func (s *Slots[T]) All() iter.Seq2[uint32, T] { return s.From(1) }

// From is All for the numbers from one on, which is not 0.
func (s *Slots[T]) From(first uint32) iter.Seq2[uint32, T] {
	return func(yield func(uint32, T) bool) {
		var free T
		for i := uint64(first - 1); i < uint64(len(s.values)); i++ {
			if v := s.values[i]; v != free && !yield(uint32(i+1), v) {
				return
			}
		}
		for _, number := range slices.Sorted(maps.Keys(s.far)) {
			if number >= first && !yield(number, s.far[number]) {
				return
			}
		}
	}
}

// An Object is reference-counted: each handle holds a reference.
type Object interface {
	comparable
	Get() // takes a reference; the caller holds one already
}

// A Table has the handles of one file. The zero value has none. All methods may
// be called concurrently.
type Table[T Object] struct {
	mu      sync.Mutex
	objects Slots[T]
}

// Create gives o the lowest free handle, which takes over the caller's
// reference.
func (t *Table[T]) Create(o T) uint32 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.objects.Add(o)
}

// FindOrCreate returns the lowest handle of o. If there is none it creates one,
// which takes over the caller's reference; created says so.
func (t *Table[T]) FindOrCreate(o T) (handle uint32, created bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for handle, other := range t.objects.All() {
		if other == o {
			return handle, false
		}
	}
	return t.objects.Add(o), true
}

// Lookup returns the object with that handle, and a reference for the caller.
func (t *Table[T]) Lookup(handle uint32) (o T, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if o, ok = t.objects.At(handle); ok {
		o.Get()
	}
	return o, ok
}

// Has reports whether o has a handle.
func (t *Table[T]) Has(o T) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Contains(t.objects.values, o) || slices.Contains(slices.Collect(maps.Values(t.objects.far)), o)
}

// Len returns the number of handles.
func (t *Table[T]) Len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.objects.Len()
}

// Objects returns the object of each handle, without references.
func (t *Table[T]) Objects() []T {
	t.mu.Lock()
	defer t.mu.Unlock()
	var objects []T
	for _, o := range t.objects.All() {
		objects = append(objects, o)
	}
	return objects
}

// Remove frees the handle and returns its object, whose reference is the
// caller's now.
func (t *Table[T]) Remove(handle uint32) (o T, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.objects.Free(handle)
}

// Change gives the object of a handle another handle instead. had says whether
// there is such an object, and free whether the other handle was free.
func (t *Table[T]) Change(handle, other uint32) (had, free bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	o, ok := t.objects.At(handle)
	if !ok {
		return false, false
	}
	if handle == other {
		return true, true
	}
	if !t.objects.Put(other, o) {
		return true, false
	}
	t.objects.Free(handle)
	return true, true
}

// Clear frees all handles and returns their objects, whose references are the
// caller's now.
func (t *Table[T]) Clear() (objects []T) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, o := range t.objects.All() {
		objects = append(objects, o)
	}
	t.objects = Slots[T]{}
	return objects
}
