package kms

import (
	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/uapi"
)

// leasable reports whether objects of the type can be leased
// (drm_mode_object_lease_required). A lessee can use all objects of other
// types.
func leasable(objectType uint32) bool {
	switch objectType {
	case uapi.ModeObjectCRTC, uapi.ModeObjectConnector, uapi.ModeObjectPlane:
		return true
	}
	return false
}

// find is like objectTable.find, but does not find objects that the client of f
// may not use because of leases.
func (m *ModeConfig) find(f *drm.File, id, objectType uint32) object {
	o := m.objects.find(id, objectType)
	if o != nil && leasable(o.objectType()) && !f.LeaseHeld(id) {
		return nil // o needs no put: leasable objects have no references
	}
	return o
}

// findFor is like find for objects of a known type.
func findFor[T object](m *ModeConfig, f *drm.File, id, objectType uint32) (o T, ok bool) {
	o, ok = m.find(f, id, objectType).(T)
	return o, ok
}

// held returns the objects that the client of f may use.
func held[T object](f *drm.File, objects []T) []T {
	if !f.Lessee() {
		return objects
	}
	var list []T
	for _, o := range objects {
		if f.LeaseHeld(o.ID()) {
			list = append(list, o)
		}
	}
	return list
}

// heldCRTC returns the id of c, or 0 if c is nil or the client of f may not use
// it.
func heldCRTC(f *drm.File, c *CRTC) uint32 {
	if c == nil || !f.LeaseHeld(c.id) {
		return 0
	}
	return c.id
}

// heldMask converts a mask of CRTCs to one for the client of f, whose bits
// follow the order of the CRTCs that it may use (drm_lease_filter_crtcs).
func (m *ModeConfig) heldMask(f *drm.File, mask uint32) uint32 {
	var visible uint32
	for i, c := range held(f, m.crtcs) {
		visible |= mask >> c.index & 1 << i
	}
	return visible
}

// leasedAway returns the error of a request that uses an object outside the
// client's lease.
func leasedAway(what string, o object) error {
	return refuse(unix.EACCES, "%s: object %d is not part of the client's lease", what, o.ID())
}

// ObjectIDs implements [drm.LeasePart].
func (m *ModeConfig) ObjectIDs() []uint32 { return m.objects.ids() }

// LeaseObjects implements [drm.LeasePart]. A lease needs a CRTC and a
// connector. A client with the capability for universal planes names planes as
// well. For other clients, LeaseObjects adds the primary and the cursor plane
// of each CRTC.
func (m *ModeConfig) LeaseObjects(f *drm.File, wanted []uint32) ([]uint32, error) {
	universal := f.Caps().UniversalPlanes
	types := make(map[uint32]bool)
	chosen := make(map[object]bool)
	var objects []object
	var twice object
	choose := func(o object) {
		if chosen[o] {
			twice = o
			return
		}
		chosen[o] = true
		objects = append(objects, o)
	}
	for _, id := range wanted {
		o := m.find(f, id, uapi.ModeObjectAny)
		if o == nil {
			return nil, notFound("object", id)
		}
		m.objects.release(o)
		if !leasable(o.objectType()) {
			return nil, invalid("CREATE_LEASE: object %d cannot be leased", id)
		}
		types[o.objectType()] = true
		choose(o)
		if c, ok := o.(*CRTC); ok && !universal {
			choose(c.config.Primary)
			if c.config.Cursor != nil {
				choose(c.config.Cursor)
			}
		}
	}
	switch {
	case !types[uapi.ModeObjectCRTC] || !types[uapi.ModeObjectConnector] || universal && !types[uapi.ModeObjectPlane]:
		return nil, invalid("CREATE_LEASE: a lease needs a CRTC, a connector and, for clients with universal planes, a plane")
	case twice != nil:
		return nil, refuse(unix.ENOSPC, "CREATE_LEASE: object %d is named twice or comes with its CRTC", twice.ID())
	}
	return ids(objects), nil
}
