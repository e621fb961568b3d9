package drm_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/uapi"
)

// leasePart has the objects 1 to 9. Those from 5 on can be leased, and 6 comes
// with 5.
type leasePart struct{ part }

func (*leasePart) ObjectIDs() []uint32 { return []uint32{1, 2, 3, 4, 5, 6, 7, 8, 9} }

func (*leasePart) LeaseObjects(f *drm.File, ids []uint32) ([]uint32, error) {
	var objects []uint32
	for _, id := range ids {
		switch {
		case id == 0 || id > 9 || !f.LeaseHeld(id):
			return nil, fmt.Errorf("no object %d: %w", id, unix.ENOENT)
		case id < 5:
			return nil, fmt.Errorf("object %d cannot be leased: %w", id, unix.EINVAL)
		case slices.Contains(objects, id):
			return nil, fmt.Errorf("object %d twice: %w", id, unix.ENOSPC)
		}
		objects = append(objects, id)
		if id == 5 {
			objects = append(objects, 6)
		}
	}
	return objects, nil
}

// A leaseTest is a device that leases, with an owner. What it reports fails
// the test, and so do leaks.
type leaseTest struct {
	*testing.T
	*toy
	part   *leasePart
	driver *drm.Driver
	owner  *drmtest.Client
	events atomic.Int32 // lease uevents
}

func newLeaseTest(t *testing.T) *leaseTest {
	drmtest.NoLeaks(t)
	l := &leaseTest{T: t, part: new(leasePart), driver: &drm.Driver{Features: drm.FeatureModeset | drm.FeatureRender}}
	l.toy = newToy(t, l.driver, l.part)
	l.owner = openAs(t, l.dev.Primary(), user)
	t.Cleanup(l.class.Subscribe(func(e drm.Uevent) {
		if slices.Equal(e.Env, []string{"LEASE=1"}) && e.Action == "change" && e.Kobject == l.dev.Primary().Kobject() {
			l.events.Add(1)
		}
	}))
	return l
}

// A lessee is a client with a leased file.
type lessee struct {
	*drmtest.Client
	id uint32
	fd int32
}

func (l *lessee) close() { _ = drmtest.CloseFD(l.fd) }

func lease(c *drmtest.Client, objects ...uint32) (*lessee, error) {
	arg := uapi.ModeCreateLease{ObjectIDs: drmtest.PutSlice(c.Arena, objects), ObjectCount: uint32(len(objects)), Flags: unix.O_CLOEXEC}
	if err := drmtest.Ioctl(c, uapi.IoctlModeCreateLease, &arg); err != nil {
		return nil, err
	}
	fd := int32(arg.FD)
	return &lessee{&drmtest.Client{Arena: c.Arena, File: c.LookupFile(fd).(*drm.File), As: c.As}, arg.LesseeID, fd}, nil
}

func (l *leaseTest) lease(c *drmtest.Client, objects ...uint32) *lessee {
	l.Helper()
	lessee, err := lease(c, objects...)
	if err != nil {
		l.Fatal(err)
	}
	l.Cleanup(lessee.close)
	return lessee
}

// refused expects a CREATE_LEASE to fail.
func (l *leaseTest) refused(what string, c *drmtest.Client, want unix.Errno, objects ...uint32) {
	l.Helper()
	files := l.dev.Files()
	lessee, err := lease(c, objects...)
	expectErr(l, what, err, want)
	if err == nil {
		lessee.close()
	}
	if n := l.dev.Files(); n != files {
		l.Errorf("%s: %d files are open, %d were", what, n, files)
	}
}

// lessees and objects return the ids that LIST_LESSEES and GET_LEASE list.
func (l *leaseTest) lessees(c *drmtest.Client) []uint32 {
	l.Helper()
	var arg uapi.ModeListLessees
	l.must(drmtest.Ioctl(c, uapi.IoctlModeListLessees, &arg))
	list := make([]uint32, arg.CountLessees)
	arg.LesseesPtr = drmtest.PutSlice(c.Arena, list)
	l.must(drmtest.Ioctl(c, uapi.IoctlModeListLessees, &arg))
	l.must(drmtest.GetSlice(c.Arena, list, arg.LesseesPtr))
	return list
}

func (l *leaseTest) objects(c *drmtest.Client) []uint32 {
	l.Helper()
	list, err := leased(c)
	l.must(err)
	return list
}

func leased(c *drmtest.Client) ([]uint32, error) {
	list := make([]uint32, 16)
	arg := uapi.ModeGetLease{CountObjects: 16, ObjectsPtr: drmtest.PutSlice(c.Arena, list)}
	defer c.Free(arg.ObjectsPtr)
	if err := drmtest.Ioctl(c, uapi.IoctlModeGetLease, &arg); err != nil {
		return nil, err
	}
	err := drmtest.GetSlice(c.Arena, list, arg.ObjectsPtr)
	return list[:arg.CountObjects], err
}

func revoke(c *drmtest.Client, id uint32) error {
	return drmtest.Ioctl(c, uapi.IoctlModeRevokeLease, &uapi.ModeRevokeLease{LesseeID: id})
}

func (l *leaseTest) must(err error) {
	l.Helper()
	if err != nil {
		l.Fatal(err)
	}
}

func (l *leaseTest) expectIDs(what string, got []uint32, want ...uint32) {
	l.Helper()
	if !slices.Equal(got, want) {
		l.Errorf("%s: %v, want %v", what, got, want)
	}
}

func (l *leaseTest) expectEvents(when string, want int32) {
	l.Helper()
	if n := l.events.Swap(0); n != want {
		l.Errorf("%s: %d lease events, want %d", when, n, want)
	}
}

func TestLease(t *testing.T) {
	l := newLeaseTest(t)
	a := l.lease(l.owner, 7, 5)
	b := l.lease(l.owner, 9)
	if a.id != 1 || b.id != 2 {
		t.Errorf("lessees %d and %d, want 1 and 2", a.id, b.id)
	}
	if !a.File.Lessee() || l.owner.File.Lessee() || !a.File.IsMaster() || !authenticated(l.T, a.Client) {
		t.Error("want lessees to be masters, and nobody else to be a lessee")
	}
	l.expectIDs("lessees of the owner", l.lessees(l.owner), 1, 2)
	l.expectIDs("lessees of a lessee", l.lessees(a.Client))
	l.expectIDs("objects of the owner", l.objects(l.owner), 1, 2, 3, 4, 5, 6, 7, 8, 9)
	l.expectIDs("objects of a", l.objects(a.Client), 5, 6, 7)
	l.expectIDs("objects of b", l.objects(b.Client), 9)
	for id := range uint32(12) {
		if held := a.File.LeaseHeld(id); held != (id >= 5 && id <= 7) {
			t.Errorf("a holds object %d: %v", id, held)
		}
		if !l.owner.File.LeaseHeld(id) {
			t.Errorf("the owner does not hold object %d", id)
		}
	}
	l.refused("what is leased", l.owner, unix.EBUSY, 8, 7)
	l.refused("what came with an object", l.owner, unix.EBUSY, 6)
	l.refused("a lease by a lessee", a.Client, unix.EINVAL, 7)

	// An object is free once it is revoked. The lessee goes on without.
	expectErr(t, "REVOKE_LEASE of nobody", revoke(l.owner, 0), unix.ENOENT)
	expectErr(t, "REVOKE_LEASE of nobody", revoke(l.owner, 3), unix.ENOENT)
	expectErr(t, "REVOKE_LEASE by a lessee", revoke(a.Client, b.id), unix.EACCES)
	expectErr(t, "REVOKE_LEASE of itself", revoke(a.Client, a.id), unix.EACCES)
	expectErr(t, "REVOKE_LEASE of nobody by a lessee", revoke(a.Client, 3), unix.ENOENT)
	expectErr(t, "REVOKE_LEASE", revoke(l.owner, a.id), 0)
	expectErr(t, "REVOKE_LEASE again", revoke(l.owner, a.id), 0)
	l.expectIDs("lessees of the owner", l.lessees(l.owner), 2)
	l.expectIDs("objects of a", l.objects(a.Client))
	if a.File.LeaseHeld(7) || !a.File.IsMaster() {
		t.Error("a holds what is revoked, or is not a master")
	}
	l.expectEvents("after revoking", 0)
	c := l.lease(l.owner, 7, 6)
	if c.id != 3 {
		t.Errorf("lessee %d, want 3", c.id)
	}

	// The lease ends when its file is closed.
	a.close()
	l.expectEvents("after closing a lessee", 1)
	expectErr(t, "REVOKE_LEASE of one that is gone", revoke(l.owner, a.id), unix.ENOENT)
	b.close()
	l.expectEvents("after closing another", 1)
	l.expectIDs("lessees of the owner", l.lessees(l.owner), 3)
	d := l.lease(l.owner, 9)
	if d.id != 1 {
		t.Errorf("lessee %d, want the first free id, 1", d.id)
	}
	l.expectIDs("lessees, the oldest first", l.lessees(l.owner), 3, 1)

	// A lease of nothing is one that is not listed.
	e := l.lease(l.owner)
	l.expectIDs("lessees", l.lessees(l.owner), 3, 1)
	l.expectIDs("objects of a lease of nothing", l.objects(e.Client))
	expectErr(t, "REVOKE_LEASE of a lease of nothing", revoke(l.owner, e.id), 0)
}

// Each lessee gets the lowest id that is free, in whatever order leases end.
func TestLeaseIDs(t *testing.T) {
	l := newLeaseTest(t)
	var all [7]*lessee
	for i := range all {
		all[i] = l.lease(l.owner)
	}
	for _, i := range []int{5, 1, 3} {
		all[i].close()
	}
	for _, next := range []struct{ id, object uint32 }{{2, 8}, {4, 7}, {6, 9}, {8, 5}} {
		if got := l.lease(l.owner, next.object).id; got != next.id {
			t.Errorf("lessee %d, want %d", got, next.id)
		}
	}
	l.expectIDs("lessees of the owner", l.lessees(l.owner), 2, 4, 6, 8)
	l.refused("what is leased", l.owner, unix.EBUSY, 8)
	expectErr(t, "REVOKE_LEASE", revoke(l.owner, 2), 0)
	l.lease(l.owner, 8)
}

// A lessee is master exactly while its lessor is.
func TestLesseeIsMasterWithItsLessor(t *testing.T) {
	l := newLeaseTest(t)
	a := l.lease(l.owner, 7)
	send := func(c *drmtest.Client, cmd uint32, as drm.Client) error {
		return c.File.Ioctl(context.Background(), by{c, as}, cmd, 0)
	}
	expectErr(t, "SET_MASTER of a lessee", send(a.Client, uapi.IoctlSetMaster, user), unix.EACCES)
	expectErr(t, "DROP_MASTER of a lessee", send(a.Client, uapi.IoctlDropMaster, user), unix.EACCES)
	expectErr(t, "SET_MASTER of a lessee that is master", send(a.Client, uapi.IoctlSetMaster, root), 0)
	expectErr(t, "DROP_MASTER of a lessee by root", send(a.Client, uapi.IoctlDropMaster, root), unix.EINVAL)

	b := openAs(t, l.dev.Primary(), other)
	l.refused("a lease by somebody else", b, unix.EACCES, 7)
	render := openAs(t, l.dev.Render(), user)
	l.refused("a lease on a render node", render, unix.EACCES, 7)
	expectErr(t, "DROP_MASTER of the owner", send(l.owner, uapi.IoctlDropMaster, user), 0)
	_, err := leased(a.Client)
	expectErr(t, "GET_LEASE while the owner is not master", err, unix.EACCES)
	expectErr(t, "SET_MASTER of a lessee by root", send(a.Client, uapi.IoctlSetMaster, root), unix.EINVAL)

	// Another master leases the same, with ids of its own.
	expectErr(t, "SET_MASTER of another", send(b, uapi.IoctlSetMaster, root), 0)
	expectErr(t, "SET_MASTER of a lessee by root", send(a.Client, uapi.IoctlSetMaster, root), unix.EBUSY)
	c := l.lease(b, 7, 8)
	if c.id != 1 || a.File.IsMaster() || !c.File.IsMaster() {
		t.Errorf("lessee %d is master: %v, the other's: %v", c.id, c.File.IsMaster(), a.File.IsMaster())
	}
	if !a.File.LeaseHeld(7) {
		t.Error("the lease of a master that is away has lost its object")
	}

	// It ends, and its lessee stays behind with nothing.
	b.File.Close()
	if c.File.IsMaster() || c.File.LeaseHeld(7) {
		t.Error("the lessor is closed, and its lessee is master or holds an object")
	}
	_, err = leased(c.Client)
	expectErr(t, "GET_LEASE after the lessor was closed", err, unix.EACCES)
	expectErr(t, "SET_MASTER of the first", send(l.owner, uapi.IoctlSetMaster, user), 0)
	l.expectIDs("objects of a", l.objects(a.Client), 7)
	l.expectEvents("before a lessee was closed", 0)
	c.close()
	l.expectEvents("after the lessee of a closed lessor was closed", 1)

	l.owner.File.Close()
	d := openAs(t, l.dev.Primary(), other)
	if a.File.IsMaster() || !d.File.IsMaster() {
		t.Error("after the lessor was closed the next opener is not master, or the lessee is")
	}
}

func TestLeaseErrors(t *testing.T) {
	l := newLeaseTest(t)
	ids := drmtest.PutSlice(l.owner.Arena, []uint32{7, 8})
	for _, tc := range []struct {
		name string
		arg  uapi.ModeCreateLease
		want unix.Errno
	}{
		{"flags", uapi.ModeCreateLease{Flags: 1}, unix.EINVAL},
		{"all flags", uapi.ModeCreateLease{Flags: ^uint32(0)}, unix.EINVAL},
		{"flags before ids", uapi.ModeCreateLease{Flags: 1, ObjectCount: 1}, unix.EINVAL},
		{"no pointer", uapi.ModeCreateLease{ObjectCount: 1}, unix.EFAULT},
		{"too few ids", uapi.ModeCreateLease{ObjectIDs: ids, ObjectCount: 3}, unix.EFAULT},
		{"too many", uapi.ModeCreateLease{ObjectIDs: ids, ObjectCount: 1<<30 + 2}, unix.ENOMEM},
		{"as many as there are numbers", uapi.ModeCreateLease{ObjectIDs: ids, ObjectCount: ^uint32(0)}, unix.ENOMEM},
	} {
		arg := tc.arg
		expectErr(t, tc.name, drmtest.Ioctl(l.owner, uapi.IoctlModeCreateLease, &arg), tc.want)
		if arg != tc.arg {
			t.Errorf("%s: the argument has become %+v", tc.name, arg)
		}
	}
	l.refused("no such object", l.owner, unix.ENOENT, 7, 10)
	l.refused("object 0", l.owner, unix.ENOENT, 0)
	l.refused("an object that cannot be leased", l.owner, unix.EINVAL, 4)
	l.refused("twice the same", l.owner, unix.ENOSPC, 7, 7)

	a := l.lease(l.owner, 7, 8)
	bad := uint64(8)
	list := uapi.ModeListLessees{CountLessees: 1, LesseesPtr: bad}
	expectErr(t, "LIST_LESSEES to nowhere", drmtest.Ioctl(l.owner, uapi.IoctlModeListLessees, &list), unix.EFAULT)
	get := uapi.ModeGetLease{CountObjects: 1, ObjectsPtr: bad}
	expectErr(t, "GET_LEASE to nowhere", drmtest.Ioctl(a.Client, uapi.IoctlModeGetLease, &get), unix.EFAULT)
	if list.CountLessees != 1 || get.CountObjects != 1 {
		t.Errorf("after EFAULT there are %d lessees, %d objects", list.CountLessees, get.CountObjects)
	}
	// There is room for one of two.
	get.ObjectsPtr = drmtest.PutSlice(a.Arena, []uint32{0})
	expectErr(t, "GET_LEASE", drmtest.Ioctl(a.Client, uapi.IoctlModeGetLease, &get), 0)
	first := make([]uint32, 1)
	l.must(drmtest.GetSlice(a.Arena, first, get.ObjectsPtr))
	if get.CountObjects != 2 || first[0] != 7 {
		t.Errorf("GET_LEASE with room for one: %d objects, the first is %d", get.CountObjects, first[0])
	}
	expectErr(t, "LIST_LESSEES with padding", drmtest.Ioctl(l.owner, uapi.IoctlModeListLessees, &uapi.ModeListLessees{Pad: 1}), unix.EINVAL)
	expectErr(t, "GET_LEASE with padding", drmtest.Ioctl(l.owner, uapi.IoctlModeGetLease, &uapi.ModeGetLease{Pad: 1}), unix.EINVAL)
}

func TestLeaseWithoutDisplays(t *testing.T) {
	toy := newToy(t, &drm.Driver{})
	c := openAs(t, toy.dev.Primary(), user)
	for name, err := range map[string]error{
		"CREATE_LEASE": drmtest.Ioctl(c, uapi.IoctlModeCreateLease, &uapi.ModeCreateLease{Flags: 1}),
		"LIST_LESSEES": drmtest.Ioctl(c, uapi.IoctlModeListLessees, &uapi.ModeListLessees{}),
		"GET_LEASE":    drmtest.Ioctl(c, uapi.IoctlModeGetLease, &uapi.ModeGetLease{}),
		"REVOKE_LEASE": revoke(c, 0),
	} {
		expectErr(t, name, err, unix.EOPNOTSUPP)
	}
	toy = newToy(t, &drm.Driver{Features: drm.FeatureModeset})
	_, err := lease(openAs(t, toy.dev.Primary(), user), 1)
	expectErr(t, "CREATE_LEASE where there are no objects", err, unix.ENOENT)
}

// A file that a driver or a part refuses to open leaves no lease behind.
func TestLeaseThatCannotBeOpened(t *testing.T) {
	l := newLeaseTest(t)
	refuse := func(*drm.RegisteredDevice, *drm.File) error { return unix.EXDEV }
	l.driver.Open = refuse
	l.refused("a driver that refuses", l.owner, unix.EXDEV, 7)
	l.driver.Open = nil
	l.part.open = func(dev *drm.RegisteredDevice, f *drm.File) (any, error) {
		if !f.Lessee() || !f.LeaseHeld(7) || f.LeaseHeld(8) {
			t.Error("a part is opened for a lessee, which is none yet")
		}
		return nil, refuse(dev, f)
	}
	l.refused("a part that refuses", l.owner, unix.EXDEV, 7)
	l.expectEvents("after two leases that came to nothing", 2)
	l.part.open = nil
	if a := l.lease(l.owner, 7); a.id != 1 {
		t.Errorf("lessee %d, want 1", a.id)
	}
}

// Leases from before an unplug can be closed after it, new ones are ENODEV.
func TestLeaseAndUnplug(t *testing.T) {
	l := newLeaseTest(t)
	a := l.lease(l.owner, 7)
	if err := l.parent.Remove(context.Background()); err != nil {
		t.Fatal(err)
	}
	l.refused("a lease after the unplug", l.owner, unix.ENODEV, 8)
	_, err := leased(a.Client)
	expectErr(t, "GET_LEASE after the unplug", err, unix.ENODEV)
	expectErr(t, "REVOKE_LEASE after the unplug", revoke(l.owner, a.id), unix.ENODEV)
	if !a.File.LeaseHeld(7) || a.File.LeaseHeld(8) {
		t.Error("the unplug has changed the lease")
	}
	l.owner.File.Close()
	a.close()
	l.expectEvents("of a device that is gone", 0)
	if n := l.dev.Files(); n != 0 {
		t.Errorf("%d files are open", n)
	}
}

// Many lease, revoke and close at once, while the master comes and goes: no
// object ever has two lessees that hold it.
func TestLeaseStress(t *testing.T) {
	l := newLeaseTest(t)
	var lessors sync.WaitGroup
	for range 4 {
		c := &drmtest.Client{Arena: drmtest.NewArena(), File: l.owner.File, As: user}
		lessors.Go(func() {
			for range 150 {
				a, err := lease(c, 5+2*uint32(rand.IntN(2)), 9)
				if err != nil {
					if !errors.Is(err, unix.EBUSY) && !errors.Is(err, unix.EACCES) {
						t.Error(err)
					}
					continue
				}
				if rand.IntN(2) == 0 {
					if err := revoke(c, a.id); err != nil && !errors.Is(err, unix.EACCES) {
						t.Error(err)
					}
				}
				a.close()
			}
		})
	}
	done := make(chan struct{})
	var watchers sync.WaitGroup
	watchers.Go(func() { // the master goes away for moments
		for running(done) {
			for _, cmd := range []uint32{uapi.IoctlDropMaster, uapi.IoctlSetMaster} {
				if err := l.owner.File.Ioctl(context.Background(), by{l.owner, user}, cmd, 0); err != nil {
					t.Error(err)
				}
			}
		}
	})
	watchers.Go(func() { // all leases have object 9, so there is one at a time
		for running(done) {
			var arg uapi.ModeListLessees
			err := drmtest.Ioctl(l.owner, uapi.IoctlModeListLessees, &arg)
			if arg.CountLessees > 1 || err != nil && !errors.Is(err, unix.EACCES) {
				t.Errorf("%d lessees hold one object, %v", arg.CountLessees, err)
			}
		}
	})
	lessors.Wait()
	close(done)
	watchers.Wait()
	l.expectIDs("lessees at the end", l.lessees(l.owner))
	if n := l.dev.Files(); n != 1 {
		t.Errorf("%d files are open at the end", n)
	}
}

func running(done chan struct{}) bool {
	select {
	case <-done:
		return false
	default:
		return true
	}
}
