package drm

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
)

// A lease makes a master a lessee: it may use objects of its lessor, until they
// are revoked or one of the two is closed. Sub-leases are not allowed, so
// lessors are owners. An owner has the zero lease.
//
// All fields are guarded by Device.masterMu.
type lease struct {
	lessor   *Master
	lesseeID uint32   // unique among the lessees of its lessor, from 1
	objects  []uint32 // ascending; empty once revoked
	lessees  lessees  // of an owner
}

// owner returns the lessor of m, or m if it is no lessee.
func (m *Master) owner() *Master {
	if m.lessor != nil {
		return m.lessor
	}
	return m
}

func (l *lease) holds(id uint32) bool {
	_, held := slices.BinarySearch(l.objects, id)
	return held
}

// revokeAll takes all objects from m and its lessees.
func (m *Master) revokeAll() {
	if m.lessor != nil {
		m.lessor.lessees.revoke(m)
	}
	for lessee := range m.lessees.all() {
		m.lessees.revoke(lessee)
	}
}

// endLease removes m from the lessees of its lessor. It reports false if m is
// an owner.
func (m *Master) endLease() bool {
	if m.lessor == nil {
		return false
	}
	m.lessor.lessees.remove(m)
	return true
}

// LeaseHeld reports whether the file may see and use the object of that id
// (drm_lease_held). A lessee may use the objects of its lease, any other file
// all.
func (f *File) LeaseHeld(id uint32) bool {
	if !f.lessee {
		return true
	}
	d := f.minor.dev
	d.masterMu.Lock()
	defer d.masterMu.Unlock()
	return f.master.Load().holds(id)
}

// Lessee reports whether the file was made by CREATE_LEASE.
func (f *File) Lessee() bool { return f.lessee }

// sendLeaseEvent tells the lessor that its lessees have changed.
func (dev *RegisteredDevice) sendLeaseEvent() {
	dev.class.Send(Uevent{Action: "change", Kobject: dev.primary.kobject, Env: []string{"LEASE=1"}})
}

func (d *Device) leasePart() LeasePart {
	for _, p := range d.parts {
		if p, ok := p.(LeasePart); ok {
			return p
		}
	}
	return nil
}

// maxLeaseObjects limits the list of a CREATE_LEASE. A device has at most some
// hundred objects, and none may be named twice.
const maxLeaseObjects = 1 << 16

func createLease(dev *RegisteredDevice, req *Request, arg *uapi.ModeCreateLease) error {
	if err := dev.leases("CREATE_LEASE"); err != nil {
		return err
	}
	switch {
	case arg.Flags&^uint32(unix.O_CLOEXEC|unix.O_NONBLOCK) != 0:
		return fmt.Errorf("drm: CREATE_LEASE: flags %#x: only O_CLOEXEC and O_NONBLOCK are allowed: %w", arg.Flags, unix.EINVAL)
	case req.File.lessee:
		return fmt.Errorf("drm: CREATE_LEASE by a lessee: sub-leases are not allowed: %w", unix.EINVAL)
	}
	objects, err := readLease(dev, req, arg)
	if err != nil {
		return err
	}
	// As in the kernel, the new file is opened with the flags of the lessor's.
	// O_NONBLOCK in the request has no effect.
	flags := req.File.flags&^unix.O_CLOEXEC | int(arg.Flags)&unix.O_CLOEXEC
	var lesseeID uint32
	fd, err := req.InstallFile(flags, func(sink EventSink) (ClientFile, error) {
		f, err := req.File.openLessee(dev, req.Client(), sink, objects)
		if err != nil {
			return nil, err
		}
		lesseeID = f.master.Load().lesseeID
		return f, nil
	})
	if err != nil {
		return err
	}
	arg.FD, arg.LesseeID = uint32(fd), lesseeID
	return nil
}

// leases refuses lease requests on devices without displays.
func (dev *RegisteredDevice) leases(what string) error {
	if dev.Has(FeatureModeset) {
		return nil
	}
	return fmt.Errorf("drm: %s: %s drives no displays: %w", what, dev.Name(), unix.EOPNOTSUPP)
}

// readLease returns the objects that a CREATE_LEASE asks for, in ascending
// order. There may be none.
func readLease(dev *RegisteredDevice, req *Request, arg *uapi.ModeCreateLease) ([]uint32, error) {
	switch {
	case arg.ObjectCount == 0:
		return nil, nil
	case arg.ObjectCount > maxLeaseObjects:
		return nil, fmt.Errorf("drm: CREATE_LEASE: %d objects (limit %d): %w", arg.ObjectCount, maxLeaseObjects, unix.ENOMEM)
	}
	ids, err := ReadArray[uint32](req, arg.ObjectIDs, arg.ObjectCount)
	if err != nil {
		return nil, fmt.Errorf("drm: CREATE_LEASE: %w", err)
	}
	p := dev.leasePart()
	if p == nil {
		return nil, fmt.Errorf("drm: CREATE_LEASE: no object %d: %s has no objects: %w", ids[0], dev.Name(), unix.ENOENT)
	}
	objects, err := p.LeaseObjects(req.File, ids)
	if err != nil {
		return nil, err
	}
	slices.Sort(objects)
	return objects, nil
}

// openLessee opens the node of lessor again, for client, with a lease of the
// objects.
func (lessor *File) openLessee(dev *RegisteredDevice, client Client, sink EventSink, objects []uint32) (*File, error) {
	dev.masterMu.Lock()
	owner := lessor.master.Load()
	lessee, err := owner.lessees.add(owner, objects)
	dev.masterMu.Unlock()
	if err != nil {
		return nil, err
	}
	f := lessor.minor.newFile(client, lessor.flags, sink)
	f.lessee = true
	f.master.Store(lessee)
	f.isMaster.Store(true)
	f.authenticated.Store(true)
	if err := f.open(dev); err != nil {
		dev.masterMu.Lock()
		lessee.endLease()
		dev.masterMu.Unlock()
		dev.sendLeaseEvent()
		return nil, err
	}
	return f, nil
}

func listLessees(dev *RegisteredDevice, req *Request, arg *uapi.ModeListLessees) error {
	if arg.Pad != 0 {
		return fmt.Errorf("drm: LIST_LESSEES: the padding is not zero: %w", unix.EINVAL)
	}
	if err := dev.leases("LIST_LESSEES"); err != nil {
		return err
	}
	var lessees []uint32
	dev.masterMu.Lock()
	for lessee := range req.File.master.Load().lessees.all() {
		if len(lessee.objects) > 0 { // neither revoked nor of nothing
			lessees = append(lessees, lessee.lesseeID)
		}
	}
	dev.masterMu.Unlock()
	return PutSome(req, arg.LesseesPtr, &arg.CountLessees, lessees)
}

// getLease returns the objects that the caller may use: all, if it is an owner.
func getLease(dev *RegisteredDevice, req *Request, arg *uapi.ModeGetLease) error {
	if arg.Pad != 0 {
		return fmt.Errorf("drm: GET_LEASE: the padding is not zero: %w", unix.EINVAL)
	}
	if err := dev.leases("GET_LEASE"); err != nil {
		return err
	}
	var objects []uint32
	if req.File.lessee {
		dev.masterMu.Lock()
		objects = req.File.master.Load().objects // replaced, never changed
		dev.masterMu.Unlock()
	} else if p := dev.leasePart(); p != nil {
		objects = p.ObjectIDs()
	}
	return PutSome(req, arg.ObjectsPtr, &arg.CountObjects, objects)
}

// revokeLease takes the objects of a lease back. The lessee stays, without
// objects.
func revokeLease(dev *RegisteredDevice, req *Request, arg *uapi.ModeRevokeLease) error {
	if err := dev.leases("REVOKE_LEASE"); err != nil {
		return err
	}
	dev.masterMu.Lock()
	defer dev.masterMu.Unlock()
	master := req.File.master.Load()
	lessee := master.owner().lessees.find(arg.LesseeID)
	switch {
	case lessee == nil:
		return fmt.Errorf("drm: REVOKE_LEASE: no lessee %d: %w", arg.LesseeID, unix.ENOENT)
	case lessee.lessor != master:
		return fmt.Errorf("drm: REVOKE_LEASE: lessee %d is not a lessee of this master: %w", arg.LesseeID, unix.EACCES)
	}
	lessee.revokeAll()
	return nil
}
