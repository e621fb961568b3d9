package drm_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/uapi"
)

// masterTest is a device and clients of it, by name.
type masterTest struct {
	t     *testing.T
	toy   *toy
	files map[string]*drmtest.Client
}

func newMasterTest(t *testing.T) *masterTest {
	return &masterTest{t: t, toy: newToy(t, &drm.Driver{Features: drm.FeatureRender}), files: map[string]*drmtest.Client{}}
}

func (m *masterTest) open(name string, as drm.Client) *drmtest.Client {
	m.t.Helper()
	m.files[name] = openAs(m.t, m.toy.dev.Primary(), as)
	return m.files[name]
}

// authenticated reports whether the client may send requests of
// [drm.IoctlAuth], as GET_CLIENT tells it.
func authenticated(t *testing.T, c *drmtest.Client) bool {
	t.Helper()
	var arg uapi.Client
	expectErr(t, "GET_CLIENT", drmtest.Ioctl(c, uapi.IoctlGetClient, &arg), 0)
	return arg.Auth != 0
}

// expect checks that the file of that name is master, or none if master is "".
func (m *masterTest) expect(when, master string) {
	m.t.Helper()
	for name, c := range m.files {
		if is := c.File.IsMaster(); is != (name == master) {
			m.t.Errorf("%s: %s is master: %v, want master %q", when, name, is, master)
		}
		// the permission goes with it
		err := drmtest.Ioctl(c, uapi.IoctlSetVersion, &uapi.SetVersion{DiMajor: -1, DdMajor: -1})
		want := unix.EACCES
		if name == master {
			want = 0
		}
		expectErr(m.t, when+": SET_VERSION by "+name, err, want)
	}
}

// set and drop send SET_MASTER and DROP_MASTER on a file, by a process.
func (m *masterTest) set(name string, as drm.Client, want unix.Errno) {
	m.t.Helper()
	m.send("SET_MASTER", uapi.IoctlSetMaster, name, as, want)
}

func (m *masterTest) drop(name string, as drm.Client, want unix.Errno) {
	m.t.Helper()
	m.send("DROP_MASTER", uapi.IoctlDropMaster, name, as, want)
}

func (m *masterTest) send(what string, cmd uint32, name string, as drm.Client, want unix.Errno) {
	m.t.Helper()
	c := m.files[name]
	err := c.File.Ioctl(context.Background(), by{c, as}, cmd, 0)
	expectErr(m.t, fmt.Sprintf("%s of %s by %s", what, name, as.Comm), err, want)
}

func TestFirstOpenerIsMaster(t *testing.T) {
	m := newMasterTest(t)
	render := openAs(t, m.toy.dev.Render(), user)
	if render.File.IsMaster() {
		t.Error("the opener of a render node is master")
	}
	a := m.open("a", user)
	m.open("b", other)
	m.open("c", root)
	m.expect("after three opens", "a")
	if !authenticated(m.t, a) || authenticated(m.t, m.files["b"]) || !authenticated(m.t, m.files["c"]) {
		t.Error("want master and root authenticated, others not")
	}
	a.File.Close()
	delete(m.files, "a")
	m.expect("after the master closed", "")
	m.open("d", other)
	m.expect("after another open", "d")
	m.files["b"].File.Close()
	delete(m.files, "b")
	m.expect("after somebody else closed", "d")
}

func TestSetAndDropMaster(t *testing.T) {
	m := newMasterTest(t)
	m.open("a", user)
	m.open("b", other)

	m.set("a", user, 0) // is master already
	m.set("b", other, unix.EACCES)
	m.drop("b", other, unix.EACCES)
	m.set("b", root, unix.EBUSY)
	m.drop("b", root, unix.EINVAL)
	m.expect("after what was refused", "a")

	m.drop("a", user, 0)
	m.expect("after the master dropped it", "")
	m.drop("a", user, unix.EINVAL) // no longer master
	m.set("b", other, unix.EACCES) // never was master
	m.set("a", other, unix.EACCES) // another process than the one that was
	m.set("a", user, 0)
	m.expect("after the old master came back", "a")

	m.drop("a", root, 0)
	m.set("b", root, 0)
	m.expect("after root gave it to b", "b")
	if !authenticated(m.t, m.files["b"]) {
		t.Error("a master is not authenticated")
	}
	m.set("a", user, unix.EBUSY)
	m.drop("b", other, unix.EACCES) // it became master for root's process, not for its own
	m.drop("b", root, 0)
	m.set("a", user, 0)
	m.expect("after all that", "a")

	// A descriptor that was passed on, and then made master by an admin, can be
	// dropped and taken again by that process when it is no admin any more.
	fallen := root
	fallen.Admin = false
	m.drop("a", user, 0)
	m.set("b", fallen, 0)
	m.expect("after a process that is no admin any more", "b")

	m.files["b"].File.Close()
	delete(m.files, "b")
	m.expect("after the master closed", "")
	m.set("a", user, 0)
	m.expect("at the end", "a")

	// A former master that is closed takes nothing from the current master.
	m.open("c", other)
	m.drop("a", user, 0)
	m.set("c", root, 0)
	m.files["a"].File.Close()
	delete(m.files, "a")
	m.expect("after a former master closed", "c")

	render := openAs(t, m.toy.dev.Render(), root)
	for _, cmd := range []uint32{uapi.IoctlSetMaster, uapi.IoctlDropMaster} {
		expectErr(t, "on a render node", drmtest.Ioctl(render, cmd, &struct{}{}), unix.EACCES)
	}
}

// A magic number authenticates once, by the master that it belongs to.
func TestMagic(t *testing.T) {
	m := newMasterTest(t)
	master := m.open("master", user)
	magic := func(c *drmtest.Client) uint32 {
		t.Helper()
		var arg uapi.Auth
		if err := drmtest.Ioctl(c, uapi.IoctlGetMagic, &arg); err != nil {
			t.Fatal(err)
		}
		return arg.Magic
	}
	auth := func(by *drmtest.Client, magic uint32, want unix.Errno) {
		t.Helper()
		expectErr(t, fmt.Sprintf("AUTH_MAGIC %d", magic), drmtest.Ioctl(by, uapi.IoctlAuthMagic, &uapi.Auth{Magic: magic}), want)
	}
	b, c := m.open("b", other), m.open("c", other)
	mb, mc := magic(b), magic(c)
	if mb == 0 || mc == 0 || mb == mc || magic(b) != mb {
		t.Fatalf("magic numbers %d, %d, and %d once more", mb, mc, magic(b))
	}
	auth(b, mb, unix.EACCES) // a client cannot authenticate itself
	auth(master, 0, unix.EINVAL)
	auth(master, mb+mc, unix.EINVAL)
	auth(master, mb, 0)
	if !authenticated(m.t, b) || authenticated(m.t, c) {
		t.Error("the magic of b authenticated somebody else")
	}
	auth(master, mb, unix.EINVAL) // once only
	if again := magic(b); again != mb {
		t.Errorf("after authentication the magic is %d, was %d", again, mb)
	}
	auth(master, mb, unix.EINVAL)

	// The magic of a closed file is free, and the next file gets it.
	c.File.Close()
	delete(m.files, "c")
	auth(master, mc, unix.EINVAL)
	if next := magic(m.open("next", other)); next != mc {
		t.Errorf("the next file has the magic %d, want %d, that of the closed one", next, mc)
	}

	// A magic is known to the master of its time only. Authentication stays.
	d := m.open("d", other)
	md := magic(d)
	m.drop("master", user, 0)
	m.set("b", root, 0)
	auth(b, md, unix.EINVAL)
	if authenticated(m.t, d) || !authenticated(m.t, b) {
		t.Error("a new master knows the magic numbers of the old one")
	}
	e := m.open("e", other)
	auth(b, magic(e), 0)
	m.drop("b", root, 0)
	m.set("master", user, 0)
	auth(master, md, 0)
	if !authenticated(m.t, d) || !authenticated(m.t, e) {
		t.Error("a client that was authenticated is not")
	}

	// A client that becomes master gets a Master of its own: the magic that it
	// had is void.
	f := m.open("f", other)
	mf := magic(f)
	m.drop("master", user, 0)
	m.set("f", root, 0)
	m.drop("f", root, 0)
	m.set("master", user, 0)
	auth(master, mf, unix.EINVAL)
}

// Mastership changes hands among many at once: there is one master at most.
func TestMasterStress(t *testing.T) {
	toy := newToy(t, &drm.Driver{})
	var clients []*drmtest.Client
	for range 4 {
		clients = append(clients, openAs(t, toy.dev.Primary(), root))
	}
	if err := drmtest.Ioctl(clients[0], uapi.IoctlDropMaster, &struct{}{}); err != nil {
		t.Fatal(err)
	}
	var masters atomic.Int32
	done := make(chan error, len(clients))
	for _, c := range clients {
		go func() {
			for range 500 {
				switch err := drmtest.Ioctl(c, uapi.IoctlSetMaster, &struct{}{}); {
				case errors.Is(err, unix.EBUSY):
					continue
				case err != nil:
					done <- err
					return
				}
				if n := masters.Add(1); n != 1 || !c.File.IsMaster() {
					done <- fmt.Errorf("after SET_MASTER there are %d masters, and the file is one: %v", n, c.File.IsMaster())
					return
				}
				masters.Add(-1)
				if err := drmtest.Ioctl(c, uapi.IoctlDropMaster, &struct{}{}); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range 4 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
