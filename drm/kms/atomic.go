package kms

import (
	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/uapi"
)

// An assignment is one property of a MODE_ATOMIC request. If value is the id of
// an object, each attempt to commit looks it up.
type assignment struct {
	object   Object
	property *Property
	value    uint64
}

// maxAssignments limits a MODE_ATOMIC request. A device has some hundred
// properties.
const maxAssignments = 1 << 14

// atomic handles MODE_ATOMIC: it sets all of the properties, or none
// (drm_mode_atomic_ioctl).
func (m *ModeConfig) atomic(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.ModeAtomic) error {
	testOnly := arg.Flags&uapi.ModeAtomicTestOnly != 0
	async := arg.Flags&uapi.ModePageFlipAsync != 0
	wantsEvents := arg.Flags&uapi.ModePageFlipEvent != 0
	switch {
	case !dev.Has(drm.FeatureAtomic):
		return refuse(unix.EOPNOTSUPP, "ATOMIC: %s has no atomic modesetting", dev.Name())
	case !req.File.Caps().Atomic:
		return invalid("ATOMIC: the client has not set DRM_CLIENT_CAP_ATOMIC")
	case arg.Flags&^uint32(uapi.ModeAtomicFlags) != 0:
		return invalid("ATOMIC: unknown flags %#x", arg.Flags)
	case arg.Reserved != 0:
		return invalid("ATOMIC: the reserved field is not zero")
	case async && !m.config.Limits.AsyncPageFlip:
		return invalid("ATOMIC: the device has no async flips")
	case testOnly && wantsEvents:
		return invalid("ATOMIC: TEST_ONLY excludes an event")
	}
	assignments, bad := m.readAssignments(req, arg)
	opts := commitOptions{
		ctx:      req.Context(),
		nonblock: arg.Flags&uapi.ModeAtomicNonblock != 0,
		async:    async,
		testOnly: testOnly,
	}
	return m.commit(dev, opts, func(a *AtomicState) error {
		a.req, a.async = req, async
		a.allowModeset = arg.Flags&uapi.ModeAtomicAllowModeset != 0
		for _, set := range assignments {
			// A framebuffer or blob may be gone at the second attempt.
			if err := a.setProperty(req.File, set.object, set.property, set.value); err != nil {
				return err
			}
		}
		if bad != nil {
			return bad
		}
		if !wantsEvents {
			return nil
		}
		for c := range a.CRTCs() {
			if err := a.wantEvent(req.File, c, arg.UserData); err != nil {
				return err
			}
		}
		if len(a.events) == 0 {
			return invalid("ATOMIC: event requested, but the change has no CRTC")
		}
		return nil
	})
}

// readAssignments reads the four arrays of the request. With an error it also
// returns the assignments before it: an error of theirs takes precedence.
func (m *ModeConfig) readAssignments(req *drm.Request, arg *uapi.ModeAtomic) (assignments []assignment, err error) {
	objects := userArray[uint32]{req: req, size: 4, addr: arg.ObjsPtr}
	counts := userArray[uint32]{req: req, size: 4, addr: arg.CountPropsPtr}
	properties := userArray[uint32]{req: req, size: 4, addr: arg.PropsPtr}
	values := userArray[uint64]{req: req, size: 8, addr: arg.PropValuesPtr}
	for i := range arg.CountObjs {
		if i > maxAssignments {
			return assignments, refuse(unix.ENOMEM, "ATOMIC: too many objects: %d", arg.CountObjs)
		}
		id, err := objects.next(arg.CountObjs - i)
		if err != nil {
			return assignments, err
		}
		o, err := m.findObject(req.File, id, uapi.ModeObjectAny)
		if err != nil {
			return assignments, refuse(unix.ENOENT, "ATOMIC: %v", err)
		}
		count, err := counts.next(arg.CountObjs - i)
		if err != nil {
			return assignments, err
		}
		for j := range count {
			if len(assignments) == maxAssignments {
				return assignments, refuse(unix.ENOMEM, "ATOMIC: too many properties (limit %d)", maxAssignments)
			}
			id, err := properties.next(count - j)
			if err != nil {
				return assignments, err
			}
			p := o.props().find(id)
			if p == nil {
				return assignments, refuse(unix.ENOENT, "ATOMIC: object %d has no property %d", o.ID(), id)
			}
			value, err := values.next(count - j)
			if err != nil {
				return assignments, err
			}
			assignments = append(assignments, assignment{o, p, value})
		}
	}
	return assignments, nil
}
