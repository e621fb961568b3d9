package drm_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
)

func TestOpen(t *testing.T) {
	toy := newUnregisteredToy(t, &drm.Driver{Features: drm.FeatureRender})
	open := func(what string, m *drm.Minor, flags int, want error) {
		t.Helper()
		f, err := m.Open(user, flags, nil)
		if !errors.Is(err, want) || (want == nil) != (err == nil) || (f != nil) != (err == nil) {
			t.Errorf("opening %s: %v, %v, want %v", what, f, err, want)
		}
		if f == nil {
			return
		}
		if f.Minor() != m || f.Device() != toy.dev || f.Client() != user {
			t.Errorf("%s does not know what was opened, or by whom", what)
		}
		if n := toy.dev.Files(); n != 1 {
			t.Errorf("with %s %d files are open", what, n)
		}
		f.Close()
		f.Close() // does nothing
		if n := toy.dev.Files(); n != 0 {
			t.Errorf("after %s %d files are open", what, n)
		}
	}
	open("before", toy.dev.Primary(), os.O_RDWR, drm.ErrNotRegistered)
	toy.register(t, nil)
	open("card", toy.dev.Primary(), os.O_RDWR, nil)
	open("render", toy.dev.Render(), os.O_RDONLY|unix.O_CLOEXEC, nil)
	open("exclusively", toy.dev.Primary(), os.O_RDWR|os.O_EXCL, unix.EBUSY)
	if err := toy.reg.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	open("after", toy.dev.Primary(), os.O_RDWR, drm.ErrUnplugged)
	open("after, exclusively", toy.dev.Primary(), os.O_RDWR|os.O_EXCL, drm.ErrUnplugged)
}

// An open that fails in a part or the driver, with an error or a panic,
// releases the states of the parts before it, and nothing else.
func TestFailingOpen(t *testing.T) {
	l := &logbook{}
	var fail func() error
	in := ""
	opener := func(name string) func(*drm.RegisteredDevice, *drm.File) (any, error) {
		return func(*drm.RegisteredDevice, *drm.File) (any, error) {
			l.write("open", name)
			if in == name {
				return nil, fail()
			}
			return "state of " + name, nil
		}
	}
	maker := func(name string) *part {
		p := &part{open: opener(name)}
		p.release = func(dev *drm.RegisteredDevice, f *drm.File) {
			l.write("release", drm.FileState[string](f, p), fmt.Sprint(dev != nil))
		}
		return p
	}
	d := &drm.Driver{
		Open:      func(dev *drm.RegisteredDevice, f *drm.File) error { _, err := opener("driver")(dev, f); return err },
		PostClose: func(*drm.Device, *drm.File) { l.write("postclose") },
	}
	toy := newToy(t, d, maker("A"), maker("B"))
	for name, want := range map[string][]string{
		"A":      {"open A"},
		"B":      {"open A", "open B", "release state of A true"},
		"driver": {"open A", "open B", "open driver", "release state of A true", "release state of B true"},
	} {
		in = name
		for errno, how := range map[unix.Errno]func() error{
			unix.EPERM: func() error { return unix.EPERM },
			unix.EIO:   func() error { panic("broken toy") },
		} {
			fail = how
			f, err := toy.dev.Primary().Open(user, os.O_RDWR, nil)
			expectErr(t, "an open that fails in "+name, err, errno)
			l.expect(t, want...)
			said := strings.Join(toy.reports.Take(), "\n")
			if f != nil || toy.dev.Files() != 0 || toy.dev.Guards() != 0 || (errno == unix.EIO) != strings.Contains(said, "broken toy") {
				t.Errorf("after an open that failed: %v, %d files, %d guards, reports %q", f, toy.dev.Files(), toy.dev.Guards(), said)
			}
		}
	}
	// The reference of a failed open is not kept: the device goes with its
	// parent.
	if err := toy.parent.Remove(context.Background()); err != nil {
		t.Fatal(err)
	}
	if toy.dev.State() != drm.Gone {
		t.Errorf("the device is %v", toy.dev.State())
	}
}

// TestReleaseOrder checks the order in which a file releases what it owns, on a
// live and on an unplugged device, even if parts panic.
func TestReleaseOrder(t *testing.T) {
	for _, unplugged := range []bool{false, true} {
		for _, panics := range []bool{false, true} {
			t.Run(fmt.Sprintf("unplugged=%v,panics=%v", unplugged, panics), func(t *testing.T) {
				l := &logbook{}
				var event *drm.PendingEvent
				newPart := func(name string) *part {
					p := &part{open: func(*drm.RegisteredDevice, *drm.File) (any, error) { return name, nil }}
					p.release = func(dev *drm.RegisteredDevice, f *drm.File) {
						event.Send(make([]byte, 32)) // dropped: events go first
						_, err := f.ReserveEvent(32)
						l.write("release", drm.FileState[string](f, p), fmt.Sprint(dev != nil, f.Device().Files(), f.IsMaster(), drm.Errno(err) == unix.EBADF))
						if panics {
							panic("broken part")
						}
					}
					return p
				}
				toy := newToy(t, &drm.Driver{PostClose: func(dev *drm.Device, f *drm.File) {
					l.write("postclose", fmt.Sprint(f.IsMaster(), dev.State()))
					if panics {
						panic("broken postclose")
					}
				}}, newPart("framebuffers"), newPart("buffers"))
				f, err := toy.dev.Primary().Open(user, os.O_RDWR, nil)
				if err != nil {
					t.Fatal(err)
				}
				if event, err = f.ReserveEvent(32); err != nil {
					t.Fatal(err)
				}
				state := drm.Live
				if unplugged {
					if err := toy.parent.Remove(context.Background()); err != nil {
						t.Fatal(err)
					}
					state = drm.Drained // the file keeps it from being Gone
				}
				f.Close()
				l.expect(t,
					fmt.Sprintf("release framebuffers %v 0 true true", !unplugged),
					fmt.Sprintf("release buffers %v 0 true true", !unplugged),
					fmt.Sprintf("postclose false %v", state))
				if unplugged && toy.dev.State() != drm.Gone {
					t.Errorf("after the last file was closed the device is %v", toy.dev.State())
				}
				if n := len(toy.reports.Take()); n != 3 && panics || n != 0 && !panics {
					t.Errorf("%d reports", n)
				}
			})
		}
	}
}

// A request in flight when its file is closed keeps the states of the file. The
// last one releases them.
func TestCloseDuringRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &logbook{}
		gate := make(chan struct{})
		toy := newToy(t, &drm.Driver{Ioctls: []drm.Ioctl{
			toyIoctl(0, 0, func(*drm.RegisteredDevice, *drm.Request) error {
				<-gate
				l.write("request done")
				return nil
			})}}, &part{release: func(*drm.RegisteredDevice, *drm.File) { l.write("released") }})
		c := drmtest.Open(t, toy.dev.Primary())
		for range 2 {
			go func() { expectErr(t, "a request in flight", call(c, 0), 0) }()
		}
		go func() {
			_, err := c.File.Read(context.Background(), make([]byte, 64), false)
			expectErr(t, "a read in flight", err, unix.EBADF)
			l.write("reader woken")
		}()
		go func() {
			if events := c.File.Poll(context.Background()); events != unix.POLLNVAL {
				t.Errorf("a poll in flight: %#x", events)
			}
			l.write("poller woken")
		}()
		synctest.Wait()
		c.File.Close()
		synctest.Wait()
		if n := len(l.take()); n != 2 {
			t.Errorf("after Close %d things happened, want reader and poller woken", n)
		}
		expectErr(t, "a new request", call(c, 0), unix.EBADF)
		_, err := c.File.Read(context.Background(), make([]byte, 64), true)
		expectErr(t, "a new read", err, unix.EBADF)
		if events := c.File.Poll(context.Background()); events != unix.POLLNVAL {
			t.Errorf("a new poll: %#x", events)
		}
		c.File.Close()
		l.expect(t)
		close(gate)
		synctest.Wait()
		l.expect(t, "request done", "request done", "released")
	})
}

// Files are opened, used and closed by many at once, with an unplug in between:
// each state that a part makes is released exactly once, no request sees a
// state that was released, and the device goes.
func TestFileStress(t *testing.T) {
	drmtest.NoLeaks(t)
	type state struct{ released atomic.Bool }
	for range 60 {
		var opened, released atomic.Int32
		var p *part
		p = &part{
			open: func(*drm.RegisteredDevice, *drm.File) (any, error) { opened.Add(1); return &state{}, nil },
			release: func(_ *drm.RegisteredDevice, f *drm.File) {
				released.Add(1)
				if drm.FileState[*state](f, p).released.Swap(true) {
					t.Error("a state is released twice")
				}
			},
		}
		toy := newToy(t, &drm.Driver{Ioctls: []drm.Ioctl{
			toyIoctl(0, 0, func(_ *drm.RegisteredDevice, req *drm.Request) error {
				s := drm.FileState[*state](req.File, p)
				for range 20 {
					if s.released.Load() {
						t.Error("a request works with a state that was released")
					}
				}
				return nil
			})}}, p)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for {
					c, err := drmtest.OpenAs(toy.dev.Primary(), user)
					if err != nil {
						expectErr(t, "opening", err, unix.ENODEV)
						return
					}
					var users sync.WaitGroup
					for range 2 {
						users.Go(func() {
							for range 5 {
								if err := call(c, 0); err != nil && !errors.Is(err, unix.EBADF) && !errors.Is(err, unix.ENODEV) {
									t.Error(err)
								}
							}
						})
						users.Go(func() {
							if _, err := c.File.Read(context.Background(), make([]byte, 32), false); err == nil {
								t.Error("a read ends without an event")
							}
						})
						users.Go(func() { c.File.Close() })
					}
					users.Wait()
				}
			})
		}
		for opened.Load() < 20 {
			call(openAs(t, toy.dev.Primary(), user), 0)
		}
		if err := toy.reg.Close(context.Background()); err != nil {
			t.Error(err)
		}
		wg.Wait()
		if err := toy.parent.Remove(context.Background()); err != nil {
			t.Error(err)
		}
		if toy.dev.Files() == 0 && toy.dev.State() != drm.Gone {
			t.Errorf("the device is %v", toy.dev.State())
		}
		if o, r := opened.Load(), released.Load(); o != r+int32(toy.dev.Files()) {
			t.Errorf("%d states made, %d released, %d files open", o, r, toy.dev.Files())
		}
	}
}

func TestPartState(t *testing.T) {
	opened := 0
	p := &part{open: func(*drm.RegisteredDevice, *drm.File) (any, error) { opened++; return opened, nil }}
	toy := newToy(t, &drm.Driver{}, &part{}, p)
	for want := 1; want <= 2; want++ {
		if got := drm.FileState[int](drmtest.Open(t, toy.dev.Primary()).File, p); got != want {
			t.Errorf("file %d has the state %v", want, got)
		}
	}
	expectPanic(t, "asking for the state of a part that is not attached", func() {
		drm.FileState[int](drmtest.Open(t, toy.dev.Primary()).File, &part{})
	})
}

// TestMinorNumbers follows the lowest free number through devices that come
// and go: an unplugged device keeps its numbers as long as a file or another
// reference needs it.
func TestMinorNumbers(t *testing.T) {
	class := drm.NewClass(drm.ClassOptions{})
	plug := func(name string, features drm.Features, primary, render int) *toy {
		t.Helper()
		toy := &toy{class: class}
		toy.bind(t, bus.New("toys"), name, &drm.Driver{Features: features})
		toy.register(t, nil)
		if n := toy.dev.Primary().Number(); n != primary || toy.dev.Name() != fmt.Sprintf("card%d", primary) {
			t.Errorf("%s is %s, minor %d, want %d", name, toy.dev.Name(), n, primary)
		}
		switch m := toy.dev.Render(); {
		case m == nil && render >= 0, m != nil && m.Number() != render:
			t.Errorf("the render node of %s is %v, want %d", name, m, render)
		case m != nil && (m.Name() != fmt.Sprintf("renderD%d", render) || m.Type() != drm.Render || m.Device() != toy.dev):
			t.Errorf("the render node of %s is called %s", name, m.Name())
		}
		if toy.class.Minor(primary) != toy.dev.Primary() {
			t.Errorf("the class does not find %s", toy.dev.Name())
		}
		return toy
	}
	unplug := func(toy *toy) {
		t.Helper()
		if err := toy.parent.Remove(context.Background()); err != nil {
			t.Fatal(err)
		}
		if class.Minor(toy.dev.Primary().Number()) != nil {
			t.Errorf("the node of %s can still be found", toy.dev.Name())
		}
	}
	const render = drm.FeatureRender
	a := plug("a", render, 0, 128)
	b := plug("b", 0, 1, -1)
	c := plug("c", render, 2, 129)
	unplug(b)
	b = plug("b again", render, 1, 130)

	file, err := drmtest.OpenAs(a.dev.Primary(), user)
	if err != nil {
		t.Fatal(err)
	}
	unplug(a)
	d := plug("d, while a is held by a file", render, 3, 131)
	c.dev.Get() // an exported buffer, say
	unplug(c)
	e := plug("e, while c is held by a reference", 0, 4, -1)
	file.File.Close()
	if a.dev.State() != drm.Gone || c.dev.State() != drm.Drained {
		t.Errorf("the unplugged devices are %v and %v", a.dev.State(), c.dev.State())
	}
	a = plug("a again", render, 0, 128)
	c.dev.Put()
	c = plug("c again", render, 2, 129)
	if got := len(class.Minors()); got != 9 {
		t.Errorf("%d nodes, want 9", got)
	}
	last := -1
	for _, m := range class.Minors() {
		if m.Number() <= last {
			t.Errorf("the nodes are not in order: %d after %d", m.Number(), last)
		}
		last = m.Number()
	}
	for _, toy := range []*toy{a, b, c, d, e} {
		unplug(toy)
	}
	if n := len(class.Minors()) + len(class.Kobjects()); n != 0 {
		t.Errorf("%d nodes and objects are left", n)
	}
}

func TestMinorsRunOut(t *testing.T) {
	class, b := drm.NewClass(drm.ClassOptions{}), bus.New("toys")
	full := func(features drm.Features) error {
		dev, err := b.Add("one too many")
		if err != nil {
			t.Fatal(err)
		}
		defer dev.Remove(context.Background())
		return dev.Bind(&bus.Driver{Probe: func(bound *bus.BoundDevice) error {
			_, err := drm.NewDevice(class, &drm.Driver{Features: features}, bound, nil)
			return err
		}})
	}
	var last *toy
	for i := range 64 {
		last = &toy{class: class}
		features := drm.FeatureRender
		last.bind(t, b, fmt.Sprint("robot", i), &drm.Driver{Features: features})
	}
	expectErr(t, "the 65th device", full(0), unix.ENOSPC)
	if err := last.parent.Remove(context.Background()); err != nil {
		t.Fatal(err)
	}
	for range 3 { // each goes away again with its parent
		expectErr(t, "the 64th device", full(drm.FeatureRender), 0)
	}
}

// TestSysfs checks the sysfs objects of a device without connectors.
func TestKobjects(t *testing.T) {
	toy := newUnregisteredToy(t, &drm.Driver{Features: drm.FeatureRender})
	if n := len(toy.class.Kobjects()) + len(toy.class.Minors()); n != 0 {
		t.Errorf("before the registration there are %d nodes and objects", n)
	}
	toy.register(t, nil)
	devs := map[string]string{}
	for _, k := range toy.class.Kobjects() {
		if k.DevType != "drm_minor" || k.Parent != toy.parent || k.ParentKobject != nil || k.Minor.Kobject() != k || k.Name != k.Minor.Name() {
			t.Errorf("object %+v", k)
		}
		for _, a := range k.Attrs {
			devs[k.Name] += a.Name + "=" + a.Show()
		}
	}
	if want := map[string]string{"card0": "dev=226:0\n", "renderD128": "dev=226:128\n"}; fmt.Sprint(devs) != fmt.Sprint(want) {
		t.Errorf("attributes %q, want %q", devs, want)
	}
	got := 0
	cancel := toy.class.Subscribe(func(drm.Uevent) { got++ })
	stranger := &drm.Kobject{Name: "never added"}
	toy.class.RemoveKobject(stranger)
	toy.class.Send(drm.Uevent{Action: "change", Kobject: toy.dev.Primary().Kobject()})
	cancel()
	if err := toy.parent.Remove(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got != 1 {
		t.Errorf("%d uevents, want the one that was sent in between", got)
	}
}

func TestDeviceAnswers(t *testing.T) {
	d := &drm.Driver{Features: drm.FeatureModeset | drm.FeatureGEM}
	toy := newToy(t, d)
	dev := toy.dev
	if dev.Driver() != d || dev.Unique() != "robot" || dev.Class() != toy.class || toy.reg.Device() != dev {
		t.Error("the device does not say what it is")
	}
	if !dev.Has(drm.FeatureGEM) || !dev.Has(drm.FeatureGEM|drm.FeatureModeset) || dev.Has(drm.FeatureGEM|drm.FeatureAtomic) {
		t.Error("Has is wrong about features")
	}
	for s, name := range map[drm.State]string{drm.New: "new", drm.Gone: "gone", 99: "State(99)"} {
		if s.String() != name {
			t.Errorf("state %d is called %q", s, s)
		}
	}
}
