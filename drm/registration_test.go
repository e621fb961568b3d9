package drm_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
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

// recordingPart writes down what the registration asks of it, and announces a
// connector as drm/kms does.
func recordingPart(l *logbook, name string) *part {
	var connector *drm.Kobject
	return &part{
		register: func(dev *drm.RegisteredDevice) error {
			l.write(name, "registers", dev.State().String(), fmt.Sprint(dev.Parent().Bound()))
			connector = &drm.Kobject{Name: dev.Name() + "-" + name, DevType: "drm_connector", ParentKobject: dev.Primary().Kobject()}
			dev.Class().AddKobject(connector)
			return nil
		},
		unplug: func(dev *drm.Device) {
			_, err := dev.RegistrationGuard()
			l.write(name, "unplugs", dev.State().String(), fmt.Sprint(errors.Is(err, drm.ErrUnplugged)))
		},
		unregister: func(dev *drm.Device) {
			l.write(name, "unregisters", dev.State().String(), fmt.Sprint(dev.Guards()))
			dev.Class().RemoveKobject(connector)
		},
	}
}

// TestUnplugOrder holds every step of a registration and its end against the
// order in docs/concepts.md.
func TestUnplugOrder(t *testing.T) {
	for _, planned := range []bool{true, false} {
		t.Run(fmt.Sprintf("planned=%v", planned), func(t *testing.T) {
			l := &logbook{}
			class, b := drm.NewClass(drm.ClassOptions{}), bus.New("toys")
			class.Subscribe(func(e drm.Uevent) { l.write("uevent", e.Action, e.Kobject.Name) })
			b.Subscribe(func(e bus.Event) {
				if e.Action == "release" {
					l.write("devres", e.Resource, "released")
				} else {
					l.write("bus", e.Action)
				}
			})
			var dev *drm.Device
			waits := make(chan struct{})
			d := &drm.Driver{Features: drm.FeatureRender, Ioctls: []drm.Ioctl{
				toyIoctl(0, drm.IoctlRenderAllow, func(dev *drm.RegisteredDevice, req *drm.Request) error {
					close(waits)
					<-req.Context().Done()
					l.write("request woken,", dev.State().String())
					return context.Cause(req.Context())
				})}}
			parent := drmtest.Bind(t, b, "robot", &bus.Driver{
				Probe: func(bound *bus.BoundDevice) error {
					if _, err := bound.Devres().Add("registers", func() {
						l.write("registers unmapped,", dev.State().String(), fmt.Sprint(bound.Bound()))
					}); err != nil {
						return err
					}
					u, err := drm.NewDevice(class, d, bound, nil)
					if err != nil {
						return err
					}
					dev = u.Device()
					for _, p := range []drm.Part{recordingPart(l, "A"), recordingPart(l, "B")} {
						if err := u.Attach(p); err != nil {
							return err
						}
					}
					_, err = u.Register(releaser(func() { l.write("data released,", dev.State().String()) }))
					return err
				},
				Unbind: func(bound *bus.BoundDevice) {
					l.write("quiesce,", dev.State().String())
				}})
			l.expect(t,
				"bus add",
				"uevent add renderD128", "uevent add card0",
				"A registers live true", "uevent add card0-A",
				"B registers live true", "uevent add card0-B",
				"bus bind")

			c, err := drmtest.OpenAs(dev.Render(), drmtest.Self())
			if err != nil {
				t.Fatal(err)
			}
			defer c.File.Close()
			var wg sync.WaitGroup
			wg.Go(func() { expectErr(t, "a request that is woken", call(c, 0), unix.ENODEV) })
			<-waits
			end, quiesce := parent.Remove, []string(nil)
			if planned {
				end, quiesce = parent.Unbind, []string{"quiesce, live"}
			}
			if err := end(context.Background()); err != nil {
				t.Error(err)
			}
			wg.Wait()

			// The request is woken at some time between the beginning and the
			// drain.
			lines := l.take()
			for i, line := range lines {
				if line == "request woken, unplugging" {
					lines = append(lines[:i:i], lines[i+1:]...)
					if len(quiesce) > 0 && i == 0 || i > len(quiesce)+2 {
						t.Errorf("the request is woken at the wrong time, as event %d", i)
					}
					break
				}
			}
			l.lines = lines
			want := append(quiesce,
				"A unplugs unplugging true", "B unplugs unplugging true",
				"B unregisters drained 0", "uevent remove card0-B",
				"A unregisters drained 0", "uevent remove card0-A",
				"uevent remove card0", "uevent remove renderD128",
				"data released, drained",
				"devres drm registration released", "devres drm device released",
				"registers unmapped, drained true", "devres registers released",
				"bus unbind")
			if !planned {
				want = append(want, "bus remove")
			}
			l.expect(t, want...)
		})
	}
}

// An unplug wakes a handler that waits inside its guard. The handler can tell
// that from an interruption.
func TestWaitingHandlerIsWoken(t *testing.T) {
	drmtest.NoLeaks(t)
	waits := make(chan struct{})
	var cause error
	toy := newToy(t, &drm.Driver{Ioctls: []drm.Ioctl{
		toyIoctl(0, 0, func(dev *drm.RegisteredDevice, req *drm.Request) error {
			ctx := req.Context()
			if ctx.Err() != nil || dev.Context().Err() != nil || req.Context() != ctx {
				t.Error("the context of a request ends before it should, or is another one each time")
			}
			waits <- struct{}{}
			<-ctx.Done()
			if cause = context.Cause(ctx); errors.Is(cause, drm.ErrUnplugged) {
				return cause
			}
			return unix.EINTR
		}),
		toyIoctl(1, 0, func(dev *drm.RegisteredDevice, req *drm.Request) error {
			waits <- struct{}{}
			<-dev.Context().Done()
			return context.Cause(dev.Context())
		}),
	}})
	c := drmtest.Open(t, toy.dev.Primary())

	ctx, interrupt := context.WithCancel(context.Background())
	go func() { <-waits; interrupt() }()
	err := c.File.Ioctl(ctx, c, ioctlNr(0), 0)
	expectErr(t, "an interrupted request", err, unix.EINTR)
	if errors.Is(cause, drm.ErrUnplugged) {
		t.Error("an interrupted handler takes it for an unplug")
	}

	var wg sync.WaitGroup
	for nr := range uint32(2) {
		wg.Go(func() { expectErr(t, "a request that waits in an unplug", call(c, nr), unix.ENODEV) })
		<-waits
	}
	if err := toy.reg.Close(context.Background()); err != nil {
		t.Error(err)
	}
	wg.Wait()
}

// The context of a request ends with it, also for a goroutine that outlives the
// handler and calls Context only then.
func TestContextEndsWithRequest(t *testing.T) {
	asked := make(chan *drm.Request, 2)
	early := make(chan context.Context, 1)
	toy := newToy(t, &drm.Driver{Ioctls: []drm.Ioctl{
		toyIoctl(0, 0, func(_ *drm.RegisteredDevice, req *drm.Request) error {
			early <- req.Context()
			return nil
		}),
		toyIoctl(1, 0, func(_ *drm.RegisteredDevice, req *drm.Request) error { asked <- req; return nil }),
	}})
	c := drmtest.Open(t, toy.dev.Primary())
	for nr := range uint32(2) {
		if err := call(c, nr); err != nil {
			t.Fatal(err)
		}
	}
	<-(<-early).Done()
	<-(<-asked).Context().Done()
}

func TestRegisterTwice(t *testing.T) {
	toy := newUnregisteredToy(t, &drm.Driver{})
	toy.register(t, nil)
	if _, err := toy.made.Register(releaser(func() { t.Error("data that was refused is released") })); !errors.Is(err, unix.EBUSY) {
		t.Errorf("registering again: %v, want EBUSY", err)
	}
	if err := toy.made.Attach(&part{}); !errors.Is(err, unix.EBUSY) {
		t.Errorf("attaching a part to a registered device: %v, want EBUSY", err)
	}
	if err := toy.dev.WithGuard(func(*drm.RegisteredDevice) error { return nil }); err != nil {
		t.Errorf("after a second registration was refused: %v", err)
	}
	if err := toy.reg.Close(context.Background()); err != nil {
		t.Error(err)
	}
	if _, err := toy.made.Register(nil); !errors.Is(err, unix.EBUSY) {
		t.Errorf("registering again after the end: %v, want EBUSY", err)
	}
}

func TestAttachIsAllOrNothing(t *testing.T) {
	toy := newUnregisteredToy(t, &drm.Driver{Ioctls: []drm.Ioctl{toyIoctl(5, 0, nil)}})
	clash := &part{ioctls: []drm.Ioctl{toyIoctl(4, 0, nil), toyIoctl(5, 0, nil)}}
	if err := toy.made.Attach(clash); !errors.Is(err, unix.EEXIST) {
		t.Errorf("a part that answers a request of the driver: %v, want EEXIST", err)
	}
	toy.register(t, nil)
	c := drmtest.Open(t, toy.dev.Primary())
	expectErr(t, "a request of the part that was refused", call(c, 4), unix.EINVAL)
}

// A registration that fails half-way, with an error or a panic, waits for the
// requests that already run, and leaves nothing behind.
func TestFailingRegistration(t *testing.T) {
	for _, how := range []string{"error", "panic"} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := &logbook{}
				gate, inside := make(chan struct{}), make(chan struct{})
				var wg sync.WaitGroup
				good := recordingPart(l, "good")
				bad := &part{register: func(dev *drm.RegisteredDevice) error {
					c := openAs(t, dev.Primary(), drmtest.Self()) // a fast client
					wg.Go(func() {
						if err := call(c, 0); err != nil {
							t.Errorf("a request in flight when the registration failed: %v", err)
						}
					})
					<-inside
					l.write("bad fails")
					if how == "panic" {
						panic("broken toy")
					}
					return errBroken
				}}
				toy := newUnregisteredToy(t, &drm.Driver{Ioctls: []drm.Ioctl{
					toyIoctl(0, 0, func(dev *drm.RegisteredDevice, req *drm.Request) error {
						close(inside)
						<-gate
						l.write("request done,", fmt.Sprint(dev.Parent().Bound()))
						return nil
					})}}, good, bad)
				wg.Go(func() {
					reg, err := toy.made.Register(releaser(func() { l.write("data released") }))
					if reg != nil || how == "error" && !errors.Is(err, errBroken) || how == "panic" && !errors.Is(err, unix.EIO) {
						t.Errorf("Register: %v, %v", reg, err)
					}
					l.write("register returned")
				})
				synctest.Wait()
				l.expect(t, "good registers live true", "bad fails", "good unplugs unplugging true")
				close(gate)
				wg.Wait()
				l.expect(t, "request done, true", "good unregisters drained 0", "data released", "register returned")
				if minors, objects := toy.class.Minors(), toy.class.Kobjects(); len(minors) != 0 || len(objects) != 0 {
					t.Errorf("after the failure %d nodes and %d objects are left", len(minors), len(objects))
				}
				if names := toy.bound.Devres().Names(); len(names) != 1 || names[0] != "drm device" {
					t.Errorf("after the failure the parent has the resources %q", names)
				}
				if err := toy.dev.WithGuard(func(*drm.RegisteredDevice) error { return nil }); !errors.Is(err, drm.ErrUnplugged) {
					t.Errorf("a guard after the failure: %v", err)
				}
			})
		})
	}
}

// A panic in one step of the unplug is reported. All other steps follow, above
// all the drain.
func TestPanicsInUnplug(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &logbook{}
		toy := newUnregisteredToy(t, &drm.Driver{},
			recordingPart(l, "A"),
			&part{unplug: func(*drm.Device) { panic("cannot unplug") }, unregister: func(*drm.Device) { panic("cannot unregister") }},
			recordingPart(l, "B"))
		toy.register(t, releaser(func() { panic("cannot release") }))
		l.take()
		guard, err := toy.dev.RegistrationGuard()
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			if err := toy.parent.Remove(context.Background()); err != nil {
				t.Error(err)
			}
			l.write("removed")
		}()
		synctest.Wait()
		l.expect(t, "A unplugs unplugging true", "B unplugs unplugging true")
		if !toy.bound.Bound() {
			t.Error("the parent is unbound under an open guard")
		}
		guard.Exit()
		synctest.Wait()
		l.expect(t, "B unregisters drained 0", "A unregisters drained 0", "removed")
		if toy.dev.State() != drm.Gone {
			t.Errorf("the device is %v", toy.dev.State())
		}
		said := strings.Join(toy.reports.Take(), "\n")
		for _, want := range []string{"cannot unplug", "cannot unregister", "cannot release", "card0"} {
			if !strings.Contains(said, want) {
				t.Errorf("%q is not reported, but only:\n%s", want, said)
			}
		}
	})
}

// All goroutines that end a registration at once return when it is drained, and
// not before; and nothing below it goes away earlier.
func TestClosersAllWait(t *testing.T) {
	for _, order := range []string{"close first", "unbind first"} {
		t.Run(order, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				toy := newUnregisteredToy(t, &drm.Driver{})
				l := &logbook{}
				if _, err := toy.bound.Devres().Add("registers", func() { l.write("registers unmapped") }); err != nil {
					t.Fatal(err)
				}
				toy.register(t, nil)
				guard, err := toy.dev.RegistrationGuard()
				if err != nil {
					t.Fatal(err)
				}
				closer := func() {
					if err := toy.reg.Close(context.Background()); err != nil {
						t.Error(err)
					}
					l.write("closed")
				}
				unbinder := func() {
					if err := toy.parent.Unbind(context.Background()); err != nil {
						t.Error(err)
					}
					l.write("unbound")
				}
				steps := []func(){closer, closer, unbinder}
				if order == "unbind first" {
					steps = []func(){unbinder, closer, closer}
				}
				for _, step := range steps {
					go step()
					synctest.Wait()
				}
				l.expect(t) // all wait
				guard.Exit()
				synctest.Wait()
				count := map[string]int{}
				for _, line := range l.take() {
					count[line]++
				}
				if count["closed"] != 2 || count["unbound"] != 1 || count["registers unmapped"] != 1 {
					t.Errorf("afterwards: %v", count)
				}
			})
		})
	}
}

// A device whose parent was unbound cannot be registered: its minors may
// belong to another by now.
func TestRegisterAfterParentsEnd(t *testing.T) {
	toy := newUnregisteredToy(t, &drm.Driver{})
	if err := toy.parent.Unbind(context.Background()); err != nil {
		t.Fatal(err)
	}
	released := 0
	reg, err := toy.made.Register(releaser(func() { released++ }))
	if reg != nil || !errors.Is(err, unix.ENODEV) || released != 1 {
		t.Errorf("registering: %v, %v, data released %d times; want ENODEV and 1", reg, err, released)
	}
	if toy.dev.State() != drm.Gone || len(toy.class.Minors()) != 0 {
		t.Errorf("the device is %v and has %d nodes", toy.dev.State(), len(toy.class.Minors()))
	}
	expectPanic(t, "Get of a device that is gone", toy.dev.Get)
	expectPanic(t, "Put of a device that is gone", toy.dev.Put)
}

// An unplug that begins while the device is still being announced takes back
// all of it, and only when the announcing is over.
func TestUnplugWhileAnnouncing(t *testing.T) {
	class := drm.NewClass(drm.ClassOptions{})
	toy := &toy{class: class}
	l := &logbook{}
	toy.bind(t, bus.New("toys"), "robot", &drm.Driver{Features: drm.FeatureRender}, recordingPart(l, "part"))
	var wg sync.WaitGroup
	class.Subscribe(func(e drm.Uevent) {
		l.write(e.Action, e.Kobject.Name)
		if e.Action != "add" || e.Kobject.Name != "renderD128" {
			return
		}
		wg.Go(func() {
			if err := toy.parent.Unbind(context.Background()); err != nil {
				t.Error(err)
			}
		})
		for toy.dev.State() < drm.Drained { // no guard is open
			runtime.Gosched()
		}
		for range 1000 { // let it go on, if it does not wait
			runtime.Gosched()
		}
	})
	reg, err := toy.made.Register(nil)
	if reg != nil || !errors.Is(err, drm.ErrUnplugged) {
		t.Errorf("Register: %v, %v", reg, err)
	}
	wg.Wait()
	l.expect(t, "add renderD128", "part unplugs unplugging true", "add card0",
		"part unregisters drained 0", "remove card0", "remove renderD128")
	if minors, objects := class.Minors(), class.Kobjects(); len(minors) != 0 || len(objects) != 0 {
		t.Errorf("%d nodes and %d objects are left", len(minors), len(objects))
	}
}

// Registering races with the end of the parent. Whichever wins, no guard may be
// taken without a bound parent, and nothing may be left behind.
func TestRegisterRacesWithUnbind(t *testing.T) {
	class := drm.NewClass(drm.ClassOptions{})
	won := 0
	for range 400 {
		toy := &toy{class: class}
		var registers atomic.Bool // the hardware: mapped as long as the parent is bound
		registers.Store(true)
		connector := &drm.Kobject{Name: "connector"}
		toy.bind(t, bus.New("toys"), "robot", &drm.Driver{}, &part{
			register: func(dev *drm.RegisteredDevice) error {
				class.AddKobject(connector)
				return nil
			},
			unregister: func(dev *drm.Device) { class.RemoveKobject(connector) },
		})
		// Older than the registration, if there is one when the binding ends.
		if _, err := toy.bound.Devres().Add("registers", func() { registers.Store(false) }); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		start := make(chan struct{})
		over := make(chan struct{})
		wg.Go(func() {
			<-start
			reg, err := toy.made.Register(nil)
			if err == nil {
				won++
			} else if reg != nil || !errors.Is(err, unix.ENODEV) {
				t.Errorf("Register: %v, %v", reg, err)
			}
		})
		wg.Go(func() {
			<-start
			for range rand.IntN(20) {
				runtime.Gosched()
			}
			if err := toy.parent.Unbind(context.Background()); err != nil {
				t.Error(err)
			}
			close(over)
		})
		wg.Go(func() {
			<-start
			for ended := false; !ended; runtime.Gosched() {
				select {
				case <-over:
					ended = true
				default:
				}
				err := toy.dev.WithGuard(func(dev *drm.RegisteredDevice) error {
					for range 3 {
						if !registers.Load() || !dev.Parent().Bound() {
							t.Error("a guard is open, and the hardware is gone")
						}
						runtime.Gosched()
					}
					return nil
				})
				if ended && err == nil {
					t.Error("a guard after the parent's end")
				}
			}
		})
		close(start)
		wg.Wait()
		if minors, objects := class.Minors(), class.Kobjects(); len(minors) != 0 || len(objects) != 0 {
			t.Fatalf("%d nodes and %d objects are left", len(minors), len(objects))
		}
		if toy.dev.State() != drm.Gone {
			t.Fatalf("the device is %v", toy.dev.State())
		}
	}
	t.Logf("Register came first %d times of 400", won)
}
