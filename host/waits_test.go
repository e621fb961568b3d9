package host_test

import (
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/driver/vgem"
	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/host"
)

// A gate is a tracer that keeps calls waiting in a device.
type gate struct {
	match func(*drm.Call) bool
	held  chan struct{} // receives one for each call that waits
	open  chan struct{} // closed when they may go on
}

// keep makes the calls wait for which match holds, until the gate is opened.
func (a *arena) keep(match func(*drm.Call) bool) *gate {
	g := &gate{match, make(chan struct{}, 1000), make(chan struct{})}
	a.t.Cleanup(a.class.Trace(g))
	return g
}

// Begin implements [drm.Tracer].
func (g *gate) Begin(c *drm.Call) func(drm.Point) {
	if !g.match(c) {
		return nil
	}
	if c.Op == drm.OpClose {
		g.wait()
		return nil
	}
	return func(p drm.Point) {
		if p == drm.PointGuarded {
			g.wait()
		}
	}
}

func (g *gate) wait() {
	g.held <- struct{}{}
	<-g.open
}

// Event implements [drm.Tracer].
func (*gate) Event(*drm.TraceEvent) {}

// next returns a channel for the next line of the output.
func (a *attack) next() <-chan string {
	lines := make(chan string, 1)
	go func() { lines <- a.line() }()
	return lines
}

// TestSlowRelease has the release of a file take long. Other programs notice
// nothing, unless they want to become master of the card in its place.
func TestSlowRelease(t *testing.T) {
	a := newArena(t, host.Options{})
	card0 := a.class.Minor(0).Device()
	g := a.keep(func(c *drm.Call) bool { return c.Op == drm.OpClose && c.Minor.Device() == card0 })
	closing := a.begin(nobody, "closing")
	if line := closing.line(); line != "closed" {
		t.Fatal(line)
	}
	<-g.held
	answered := closing.next()
	a.honest()
	successor := a.begin(nobody, "honest", "3", "/dev/dri/card0")
	a.honest()
	if len(answered) > 0 {
		t.Error("the program went on before its file was released")
	}
	select {
	case <-successor.Exited():
		t.Error("a program became master before the file of the last one was released")
	default:
	}
	close(g.open)
	if line := <-answered; line != "answered" {
		t.Error(line)
	}
	closing.end()
	successor.end()
}

// TestSlowStore has an unbind wait for a request. Other programs can do all but
// unbind the same device, and the write waits.
func TestSlowStore(t *testing.T) {
	a := newArena(t, host.Options{EveryUser: true})
	card0 := a.class.Minor(0).Device()
	g := a.keep(func(c *drm.Call) bool {
		return c.Op == drm.OpIoctl && c.Cmd == uapi.IoctlVersion && c.Minor != nil && c.Minor.Device() == card0
	})
	version := a.begin(nobody, "version")
	<-g.held
	unbind := a.begin(nobody, "unbind")
	written := unbind.next()
	waitFor(t, "the unbind has begun", func() bool { return card0.State() != drm.Live })
	a.honest()
	a.begin(nobody, "status").end()
	a.honest()
	if len(written) > 0 {
		t.Error("the write returned before the unbind was done")
	}
	close(g.open)
	if line := <-written; line != "written" {
		t.Error(line)
	}
	if line := unbind.line(); line != "card0: no such file or directory" {
		t.Error(line)
	}
	version.end()
	unbind.end()
}

// TestSlowUnload has many threads of a program unload a driver whose device takes
// long to go. They hold no threads of the host, and other programs notice
// nothing.
func TestSlowUnload(t *testing.T) {
	a := newArena(t, host.Options{EveryUser: true})
	begun, end := make(chan struct{}), make(chan struct{})
	slow := *vgem.NewDriver(a.class).BusDriver()
	slow.Unbind = func(*bus.BoundDevice) {
		close(begun)
		<-end
	}
	drmtest.Bind(t, a.first.Bus(), "vgem", &slow)
	attack := a.begin(nobody, "unload", "30", "vgem").holding()
	<-begun
	waitFor(t, "no thread serves a call", func() bool {
		serving, postponed := a.Served()
		return serving == 0 && postponed == 0
	})
	a.honest()
	close(end)
	attack.end()
}

// TestTurns has more calls of one program block than may be served at a time.
func TestTurns(t *testing.T) {
	block := func(t *testing.T, postponed int) (a *arena, attack *attack, end func()) {
		a = newArena(t, host.Options{})
		card0 := a.class.Minor(0).Device()
		g := a.keep(func(c *drm.Call) bool { return c.Op == drm.OpClose && c.Minor.Device() == card0 })
		attack = a.begin(nobody, "closing", "600")
		<-g.held
		waitFor(t, "the share is used up", func() bool {
			serving, waiting := a.Served()
			return serving >= 60 && waiting >= postponed
		})
		return a, attack, func() {
			close(g.open)
			attack.end()
		}
	}
	t.Run("others", func(t *testing.T) {
		a, _, end := block(t, 300)
		a.honest()
		end()
		a.honest()
	})
	// One process does not take all that its group may have.
	t.Run("group", func(t *testing.T) {
		a, attack, end := block(t, 500)
		neighbour := asUser(exec.Command(hostileClient(), "honest", "3"), nobody)
		neighbour.SysProcAttr.Setpgid, neighbour.SysProcAttr.Pgid = true, attack.PID()
		run(t, a.Host, neighbour)
		end()
	})
	// The call that ends the wait of the others must not wait for its turn.
	t.Run("own", func(t *testing.T) {
		a := newArena(t, host.Options{})
		a.begin(nil, "stuck", "60").end()
	})
}

// TestCloseDuringEvents closes hosts while a driver is bound and unbound.
func TestCloseDuringEvents(t *testing.T) {
	class := drm.NewClass(drm.ClassOptions{})
	device := drmtest.Bind(t, bus.New("platform"), "vkms", vkms.NewDriver(class, vkms.ConfigOf(drm.Linux612)).BusDriver())
	var done atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		for !done.Load() {
			if err := device.Unbind(t.Context()); err != nil {
				t.Error(err)
				return
			}
			if err := device.Rebind("vkms"); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for range 30 {
		h, err := host.New(class, testOptions(host.Options{}))
		if err != nil {
			t.Error(err)
			break
		}
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	}
	done.Store(true)
	wg.Wait()
}
