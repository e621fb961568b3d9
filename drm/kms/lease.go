package kms

import (
	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/uapi"
)

// leasable reports whether objects of the type can be leased; a lessee finds
// all objects of the other types (drm_mode_object_lease_required).
func leasable(objectType uint32) bool {
	switch objectType {
	case uapi.ModeObjectCRTC, uapi.ModeObjectConnector, uapi.ModeObjectPlane:
		return true
	}
	return false
}

// find is what clients find: objectTable.find, without what is leased to
// others than the client of f.
func (m *ModeConfig) find(f *drm.File, id, objectType uint32) object {
	o := m.objects.find(id, objectType)
	if o != nil && leasable(o.objectType()) && !f.LeaseHeld(id) {
		return nil // such objects are not counted
	}
	return o
}

// findFor is find for an object whose type is known.
func findFor[T object](m *ModeConfig, f *drm.File, id, objectType uint32) (o T, ok bool) {
	o, ok = m.find(f, id, objectType).(T)
	return o, ok
}

// held returns those of the objects that the client of f may use.
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

// heldCRTC is the id of c, as a client sees it that may not use all CRTCs: 0
// when there is none.
func heldCRTC(f *drm.File, c *CRTC) uint32 {
	if c == nil || !f.LeaseHeld(c.id) {
		return 0
	}
	return c.id
}

// heldMask turns a mask of CRTCs into one by the positions that they have for
// the client of f (drm_lease_filter_crtcs).
func (m *ModeConfig) heldMask(f *drm.File, mask uint32) uint32 {
	var seen uint32
	for i, c := range held(f, m.crtcs) {
		seen |= mask >> c.index & 1 << i
	}
	return seen
}

// leasedAway refuses what would use an object of another client.
func leasedAway(what string, o object) error {
	return refuse(unix.EACCES, "%s: object %d is not part of the client's lease", what, o.ID())
}

// ObjectIDs implements [drm.LeasePart].
func (m *ModeConfig) ObjectIDs() []uint32 { return m.objects.ids() }

// LeaseObjects implements [drm.LeasePart]: a lease of a display needs a CRTC
// and a connector. A client that knows planes names them, for others the
// planes of the CRTC that the legacy requests use come along.
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
			return nil, invalid("CREATE_LEASE: object %d is none that can be leased", id)
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
		return nil, invalid("CREATE_LEASE: a lease needs a CRTC, a connector and, for a client that knows all planes, a plane")
	case twice != nil:
		return nil, refuse(unix.ENOSPC, "CREATE_LEASE: object %d is named twice, or comes with its CRTC", twice.ID())
	}
	return ids(objects), nil
}
