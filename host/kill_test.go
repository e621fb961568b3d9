package host_test

import (
	"flag"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/host"
)

var kills = flag.Int("kills", 100, "how many programs TestKill kills")

// TestKill kills programs at random instructions: some a random time after they
// have opened a card, the others while the host serves a call of theirs. Nothing
// of them is left.
//
//	go test -run Kill ./host -args -kills 10000
func TestKill(t *testing.T) {
	a := newArena(t, host.Options{})
	driver := vkms.NewDriver(a.class, vkms.ConfigOf(drm.Linux612))
	if err := a.first.Unbind(t.Context()); err != nil { // its number goes to the card of the driver
		t.Fatal(err)
	}
	drmtest.Bind(t, a.first.Bus(), "vkms.kill", driver.BusDriver())
	k := &killer{device: driver.Device(), pid: make(chan int, 1)}
	defer a.class.Trace(k)()
	inCall := 0
	for range *kills {
		k.delay = time.Duration(rand.Int64N(int64(20 * time.Millisecond)))
		if rand.IntN(2) == 0 {
			k.delay = 0
			inCall++
		}
		k.points.Store(1 + rand.Int64N(300))
		program := a.begin(nobody, "use")
		k.pid <- program.PID()
		if status, err := program.Wait(); status != 128+int(unix.SIGKILL) || err != nil {
			t.Fatalf("killed: exit status %d, %v; %s", status, err, program.line())
		}
		<-program.Done()
		waitFor(t, "nothing is left of a killed program", func() bool {
			return driver.Device().Files() == 0 && driver.Device().Guards() == 0 && driver.Buffers().Objects() == 0 && a.Watched() == 0
		})
	}
	a.honest()
	t.Logf("%d programs killed, %d of them in a call", *kills, inCall)
}

// A killer is a tracer that kills a program at one of its calls, or later.
type killer struct {
	device *drm.Device
	pid    chan int
	points atomic.Int64  // of calls, until then
	delay  time.Duration // after that
}

// Begin implements [drm.Tracer].
func (k *killer) Begin(c *drm.Call) func(drm.Point) {
	if c.Minor == nil || c.Minor.Device() != k.device {
		return nil
	}
	k.reach()
	return func(drm.Point) { k.reach() }
}

// Event implements [drm.Tracer].
func (*killer) Event(*drm.TraceEvent) {}

func (k *killer) reach() {
	if k.points.Add(-1) != 0 {
		return
	}
	kill := func() { _ = unix.Kill(<-k.pid, unix.SIGKILL) }
	if k.delay == 0 {
		kill()
	} else {
		time.AfterFunc(k.delay, kill)
	}
}
