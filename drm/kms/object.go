package kms

import (
	"sync"

	"github.com/udrm/udrm/drm/internal/handle"
	"github.com/udrm/udrm/drm/uapi"
)

// An object has an id in the uAPI: struct drm_mode_object.
type object interface {
	ID() uint32
	objectType() uint32 // one of uapi.ModeObject*
}

// A counted object is a framebuffer or a blob. It keeps its id until the last
// reference is put.
type counted interface {
	object
	count() *refCount
	free() // releases what the object holds
}

// A refCount is guarded by objectTable.mu.
type refCount struct{ refs int }

func (r *refCount) count() *refCount { return r }

// objectBase has the id of an object. The id does not change once it is given.
type objectBase struct{ id uint32 }

// ID returns the object's number in the uAPI, unique within its device.
func (b *objectBase) ID() uint32 { return b.id }

// An objectTable has the objects of a device by id. A new object gets the lowest
// free id, from 1.
type objectTable struct {
	mu      sync.Mutex
	objects handle.Slots[object]
}

// add gives o an id. A counted object begins with one reference for the caller.
func (t *objectTable) add(base *objectBase, o object) {
	t.mu.Lock()
	defer t.mu.Unlock()
	base.id = t.objects.Add(o)
	if c, ok := o.(counted); ok {
		c.count().refs = 1
	}
}

// find returns the object with that id and type, or nil. The type
// uapi.ModeObjectAny stands for all types. A counted object comes with a
// reference for the caller, which release puts. For ids that clients name, use
// [ModeConfig.find].
func (t *objectTable) find(id, objectType uint32) object {
	t.mu.Lock()
	defer t.mu.Unlock()
	o, ok := t.objects.At(id)
	if !ok || objectType != uapi.ModeObjectAny && o.objectType() != objectType {
		return nil
	}
	if c, ok := o.(counted); ok {
		c.count().refs++
	}
	return o
}

// get takes a reference. The caller must hold one already.
func (t *objectTable) get(c counted) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c.count().refs++
}

// put releases a reference. The last one frees the id and the object.
func (t *objectTable) put(c counted) {
	t.mu.Lock()
	r := c.count()
	r.refs--
	last := r.refs == 0
	if last {
		t.objects.Free(c.ID())
	}
	negative := r.refs < 0
	t.mu.Unlock()
	if negative {
		panic("kms: put of an object without a reference")
	}
	if last {
		c.free()
	}
}

// shared reports whether there is a reference beside that of the caller.
func (t *objectTable) shared(c counted) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return c.count().refs > 1
}

// release puts the reference that find has taken, if o is counted.
func (t *objectTable) release(o object) {
	if c, ok := o.(counted); ok {
		t.put(c)
	}
}

// len returns the number of objects.
func (t *objectTable) len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.objects.Len()
}

// ids returns the ids of all objects, in ascending order.
func (t *objectTable) ids() []uint32 {
	t.mu.Lock()
	defer t.mu.Unlock()
	var list []uint32
	for id := range t.objects.All() {
		list = append(list, id)
	}
	return list
}

// findAs is like find, for objects of a known type.
func findAs[T object](t *objectTable, id, objectType uint32) (o T, ok bool) {
	o, ok = t.find(id, objectType).(T)
	return o, ok
}
