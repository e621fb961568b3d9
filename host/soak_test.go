package host_test

import (
	"context"
	"flag"
	"fmt"
	"image/color"
	"io"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/host"
)

var soakCycles = flag.Int("soak", 200, "how many cycles TestSoak makes")

// TestSoak unplugs the cards of two programs while a flip of theirs is in
// flight, again and again. Each flip has its event, no call fails but with
// ENODEV, the pictures are whole, and nothing is left.
//
//	go test -run Soak ./host -args -soak 100000
func TestSoak(t *testing.T) {
	a := newArena(t, host.Options{})
	t.Run("programs", func(t *testing.T) {
		const programs = 2
		for i := range programs {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				newSoak(t, a, fmt.Sprint("soak.", i)).run(*soakCycles / programs)
			})
		}
	})
}

// A soak is a program that flips on a card of its own, on a stepped clock.
type soak struct {
	*testing.T
	a      *arena
	name   string
	bus    *bus.Bus
	clock  *kms.ManualClock
	driver *vkms.Driver

	flips     int       // still to come
	stopAt    drm.Point // of the last flip
	stop      chan struct{}
	quiet     func() // stops the clock, before the last flip
	unplugged chan struct{}
	checked   chan struct{} // closed when the picture is checked after the unplug
	pending   atomic.Bool   // a flip has begun and has no event
	inFlight  bool          // when the unplug began

	pictures int // checked
}

// Begin implements [drm.Tracer].
func (s *soak) Begin(c *drm.Call) func(drm.Point) {
	if c.Op != drm.OpIoctl || c.Cmd != uapi.IoctlModePageFlip || c.Minor == nil || c.Minor.Device() != s.driver.Device() {
		return nil
	}
	return func(p drm.Point) {
		if p == drm.PointGuarded {
			s.pending.Store(true)
			if s.flips--; s.flips == 0 {
				s.quiet()
			}
		}
		if p == s.stopAt && s.flips == 0 {
			s.flips-- // no flip stops after the unplug
			close(s.stop)
			<-s.unplugged
		}
		if p == drm.PointDone && s.flips < 0 {
			<-s.checked // before the program closes the card
		}
	}
}

// Event implements [drm.Tracer].
func (s *soak) Event(e *drm.TraceEvent) {
	if e.Device != s.driver.Device() {
		return
	}
	switch e.Kind {
	case drm.EventSent:
		s.pending.Store(false)
	case drm.EventUnplug:
		s.inFlight = s.pending.Load()
		close(s.unplugged)
	}
}

func newSoak(t *testing.T, a *arena, name string) *soak {
	s := &soak{T: t, a: a, name: name, bus: bus.New("platform"), clock: new(kms.ManualClock)}
	config := vkms.ConfigOf(drm.Linux612)
	config.Clock = s.clock
	s.driver = vkms.NewDriver(a.class, config)
	return s
}

func (s *soak) run(cycles int) {
	defer s.a.class.Trace(s)()
	program := s.a.begin(nobody, "cycles", "/dev/dri/by-path/platform-"+s.name+"-card")
	inFlight := 0
	for n := 0; n < cycles && !s.Failed(); n++ {
		s.cycle(program)
		if s.inFlight {
			inFlight++
		}
		if n == cycles-1 || n%5_000 == 4_999 {
			s.Logf("%d cycles, %d with a flip in flight at the unplug; checked %d pictures", n+1, inFlight, s.pictures)
		}
	}
	program.end()
	if inFlight*10 < cycles*7 {
		s.Errorf("only %d of %d cycles had a flip in flight", inFlight, cycles)
	}
}

// cycle plugs in the card, lets the program flip a few times, and unplugs the
// card at a point of the last flip, before its vblank, or while the clock goes
// on.
func (s *soak) cycle(program *attack) {
	parent, err := s.bus.Add(s.name)
	if err == nil {
		err = parent.Bind(s.driver.BusDriver())
	}
	if err != nil {
		s.Fatal(err)
	}
	ctx, cancel := context.WithCancel(s.Context())
	defer cancel()
	stepped := make(chan struct{})
	s.stop, s.unplugged, s.checked = make(chan struct{}), make(chan struct{}), make(chan struct{})
	checked := sync.OnceFunc(func() { close(s.checked) })
	defer checked()
	s.inFlight = false
	s.pending.Store(false)
	s.flips, s.stopAt = 1+rand.IntN(3), drm.Point(rand.IntN(3))
	s.quiet = func() {
		cancel()
		<-stepped
	}
	race := rand.IntN(10) == 0
	if race {
		s.quiet = func() {}
	}
	go func() {
		defer close(stepped)
		for s.clock.Step(ctx) == nil {
		}
	}()
	if _, err := io.WriteString(program.stdin, "\n"); err != nil {
		s.Fatal(err)
	}
	select {
	case <-s.stop:
	case <-program.Exited():
		s.Fatalf("the program ended: %s", program.line())
	}
	if race {
		for range rand.IntN(4) {
			runtime.Gosched()
		}
	}
	err = parent.Remove(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	cancel()
	<-stepped
	s.checkPicture()
	checked()
	if line := program.line(); line != "closed" {
		s.Fatalf("the program says %q", line)
	}
	d, deadline := s.driver.Device(), time.Now().Add(time.Minute)
	for d.State() != drm.Gone || d.Files() != 0 || d.Guards() != 0 || s.driver.Buffers().Objects() != 0 {
		if time.Now().After(deadline) {
			s.Fatalf("the card is %v; left are %d files, %d guards and %d buffers", d.State(), d.Files(), d.Guards(), s.driver.Buffers().Objects())
		}
		time.Sleep(100 * time.Microsecond)
	}
}

// checkPicture checks that the screen shows one of the program's two pictures.
func (s *soak) checkPicture() {
	m := s.driver.ModeConfig()
	picture, err := m.Screenshot(m.CRTCs()[0])
	if err != nil {
		s.Fatal(err)
	}
	first := picture.NRGBAAt(0, 0)
	for y := range picture.Rect.Dy() {
		for x := range picture.Rect.Dx() {
			if got := picture.NRGBAAt(x, y); got != first {
				s.Fatalf("the picture is torn: %v at %d,%d and %v at 0,0", got, x, y, first)
			}
		}
	}
	if first != (color.NRGBA{0x40, 0x40, 0x40, 0xff}) && first != (color.NRGBA{0x41, 0x41, 0x41, 0xff}) && first != (color.NRGBA{0xff, 0xff, 0xff, 0xff}) {
		s.Fatalf("the picture is %v, none of the program's", first)
	}
	s.pictures++
}
