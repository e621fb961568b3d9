package kms_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"hash/crc32"
	"image/color"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/fence"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
)

var (
	soakCycles = flag.Int("soak", 300, "how many cycles TestSoak makes")
	soakSeed   = flag.Uint64("seed", 0, "the seed of TestSoak; 0: a new one")
)

// TestSoak unplugs a card at a moment of a flip, again and again: in the
// request, before its vblank, in the vblank, while the event is sent. It checks
// that each flip gets its event, that fences are signalled and waiting requests
// return, that pictures, CRCs and writebacks are those of a whole frame, and
// that nothing is left.
//
//	go test -run Soak ./drm/kms -args -soak 1000000 -seed 1
func TestSoak(t *testing.T) {
	drmtest.NoLeaks(t)
	seed := *soakSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	workers := runtime.GOMAXPROCS(0)
	t.Run("workers", func(t *testing.T) {
		for i := range workers {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				s := newSoak(t, rand.New(rand.NewPCG(seed, uint64(i))))
				t.Logf("-seed %d", seed)
				for n := 0; n < *soakCycles/workers && !t.Failed(); n++ {
					s.cycle(n)
					if s.cycles%50_000 == 0 {
						s.report() // of a long run, so far
					}
				}
				s.report()
			})
		}
	})
}

// A soak repeats cycles on cards of its own.
type soak struct {
	*testing.T
	random  *rand.Rand
	class   *drm.Class
	clock   *kms.ManualClock
	driver  *vkms.Driver
	bus     *bus.Bus
	objects int // of a card without clients

	writebackFB, writebackFence uint32 // ids of properties

	// What the cycles had.
	cycles, inFlight                                                      int
	moments                                                               map[string][2]int // cycles, and those with a flip in flight
	accepted, refused, events, pictures, crcs, fences, writebacks, waited int
}

// An aim calls unplug once, at a moment of a flip.
type aim struct {
	moment string // or "" for none
	unplug func()
	file   *drm.File
	cmd    uint32 // of the flip

	entered, sent, unplugged chan struct{} // closed when the flip is in its guard, its event is sent, the unplug has begun
	fired                    bool          // only the flip's own calls and events fire, one after another
	inFlight                 bool          // when the unplug began
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// Begin implements [drm.Tracer].
func (a *aim) Begin(c *drm.Call) func(drm.Point) {
	if c.Op != drm.OpIoctl || c.File == nil || c.File != a.file || c.Cmd != a.cmd {
		return nil
	}
	return func(p drm.Point) {
		if p == drm.PointGuarded {
			close(a.entered)
		}
		if a.moment == [...]string{"guarded", "handled", "done"}[p] {
			a.fire()
			<-a.unplugged // waits for this guard
		}
	}
}

// Event implements [drm.Tracer].
func (a *aim) Event(e *drm.TraceEvent) {
	switch e.Kind {
	case drm.EventUnplug:
		a.inFlight = a.inFlight || isClosed(a.entered) && !isClosed(a.sent)
		close(a.unplugged)
	case drm.EventSent:
		if e.File == a.file && binary.NativeEndian.Uint64(e.Data[8:]) == soakFlip {
			close(a.sent)
		}
	}
	if a.moment == e.Kind.String() && isClosed(a.entered) {
		a.fire()
	}
}

// fire starts the unplug, and gives it a chance to begin at once. It does not
// wait for it: the caller may hold a lock that the unplug takes.
func (a *aim) fire() {
	if a.fired {
		return
	}
	a.fired = true
	go a.unplug()
	for range 100 {
		if isClosed(a.unplugged) {
			break
		}
		runtime.Gosched()
	}
}

// soakFlip marks the event of the flip that the unplug is aimed at.
const soakFlip = 1 << 40

// The size of the pictures, and a mode for it.
const soakWidth, soakHeight = 24, 16

var soakMode = uapi.ModeInfo{
	Clock: 1000, HDisplay: soakWidth, HSyncStart: 32, HSyncEnd: 40, HTotal: 48,
	VDisplay: soakHeight, VSyncStart: 18, VSyncEnd: 20, VTotal: 24, VRefresh: 868,
}

func newSoak(t *testing.T, random *rand.Rand) *soak {
	s := &soak{T: t, random: random, class: newClass(t), clock: new(kms.ManualClock), bus: bus.New("platform"), moments: make(map[string][2]int)}
	config := vkms.ConfigOf(drm.Linux612)
	config.Clock, config.Syncobj = s.clock, true
	s.driver = vkms.NewDriver(s.class, config)
	parent := drmtest.Bind(t, s.bus, "first", s.driver.BusDriver())
	f := &fixture{T: t, clock: s.clock, driver: s.driver, Client: drmtest.Open(t, s.driver.Device().Primary())}
	f.allCaps()
	s.writebackFB, s.writebackFence = f.wbProp("WRITEBACK_FB_ID"), f.wbProp("WRITEBACK_OUT_FENCE_PTR")
	f.File.Close()
	s.objects = s.driver.ModeConfig().Objects()
	f.must(parent.Remove(t.Context()))
	return s
}

// A soakFB is a framebuffer that has one color.
type soakFB struct {
	id     uint32
	pixels []byte
	color  color.NRGBA
}

// newFB makes a framebuffer of a color that no other has had lately.
func (s *soak) newFB(f *fixture) *soakFB {
	dumb, err := f.kms().CreateDumb(soakWidth, soakHeight, 32)
	f.must(err)
	object, err := f.driver.Buffers().Lookup(f.File, dumb.Handle)
	f.must(err)
	defer object.Put() // the handle holds another reference
	fb := &soakFB{color: color.NRGBA{byte(s.random.Int()), byte(s.random.Int()), byte(s.random.Int()), 0xff}}
	fb.pixels, err = object.Pixels()
	f.must(err)
	for i := 0; i+4 <= len(fb.pixels); i += 4 {
		copy(fb.pixels[i:], []byte{fb.color.B, fb.color.G, fb.color.R, 0})
	}
	fb.id, err = f.kms().AddFB(&dumb, uapi.FormatXRGB8888)
	f.must(err)
	return fb
}

// crc returns the CRC of a picture of one color. The kernel's CRC begins and
// ends without an inversion.
func (fb *soakFB) crc() uint32 {
	pixel := []byte{0xff, 0xff, fb.color.R, fb.color.R, fb.color.G, fb.color.G, fb.color.B, fb.color.B}
	return ^crc32.Update(^uint32(0), crc32.IEEETable, bytes.Repeat(pixel, soakWidth*soakHeight))
}

// wantPicture fails the test unless the screen has the color of one of fbs.
func (s *soak) wantPicture(f *fixture, when string, fbs ...*soakFB) {
	s.Helper()
	picture, err := f.screenshot()
	f.must(err)
	first := picture.NRGBAAt(0, 0)
	for y := range soakHeight {
		for x := range soakWidth {
			if picture.NRGBAAt(x, y) != first {
				s.Fatalf("%s: the picture is torn: %v at %d,%d and %v at 0,0", when, picture.NRGBAAt(x, y), x, y, first)
			}
		}
	}
	if !slices.ContainsFunc(fbs, func(fb *soakFB) bool { return fb.color == first }) {
		s.Fatalf("%s: the picture is %v; want one of %d others, first %v", when, first, len(fbs), fbs[0].color)
	}
	s.pictures++
}

// show shows fb: a modeset on the connector and the writeback connector.
func (s *soak) show(f *fixture, fb *soakFB) {
	const w, h = soakWidth, soakHeight
	f.must(f.atomic(uapi.ModeAtomicNonblock|uapi.ModeAtomicAllowModeset|uapi.ModePageFlipEvent, 0,
		change{connectorID, crtcPropID, crtcID}, change{writebackID, crtcPropID, crtcID},
		change{crtcID, modePropID, uint64(f.createBlob(structBytes(soakMode)))}, change{crtcID, activeID, 1},
		change{primaryID, fbPropID, uint64(fb.id)}, change{primaryID, crtcPropID, crtcID},
		change{primaryID, 13, 0}, change{primaryID, 14, 0}, change{primaryID, 15, w}, change{primaryID, 16, h},
		change{primaryID, 9, 0}, change{primaryID, 10, 0}, change{primaryID, 11, w << 16}, change{primaryID, 12, h << 16}))
	f.step()
	f.event()
	s.wantPicture(f, "after the modeset", fb)
}

// A soakRequest is a flip that is to be in flight.
type soakRequest struct {
	cmd    uint32
	send   func() error
	out    uint64 // where the descriptor of its out-fence is, or 0
	target *soakFB
	wrote  uint64 // likewise of the writeback's fence
	in     *fence.Fence
	inFD   int32
}

func (s *soak) request(f *fixture, fb *soakFB) *soakRequest {
	r := &soakRequest{cmd: uapi.IoctlModeAtomic, inFD: -1}
	flip := change{primaryID, fbPropID, uint64(fb.id)}
	changes := []change{flip}
	switch s.random.IntN(5) {
	case 0:
		r.cmd = uapi.IoctlModePageFlip
		r.send = func() error { return f.flip(fb.id, uapi.ModePageFlipEvent, soakFlip) }
		return r
	case 1:
		r.out = f.outPtr()
		changes = append(changes, change{crtcID, outFenceID, r.out})
	case 2:
		r.wrote, r.target = f.outPtr(), s.newFB(f)
		changes = append(changes, change{writebackID, s.writebackFB, uint64(r.target.id)}, change{writebackID, s.writebackFence, r.wrote})
	case 3:
		r.in = fence.NewContext("test", "test").New()
		var err error
		r.inFD, err = fence.Install(f.Client, r.in)
		f.must(err)
		r.out = f.outPtr()
		changes = append(changes, change{primaryID, inFenceID, uint64(r.inFD)}, change{crtcID, outFenceID, r.out})
	}
	r.send = func() error {
		return f.atomic(uapi.ModeAtomicNonblock|uapi.ModePageFlipEvent, soakFlip, changes...)
	}
	return r
}

// moments are when the unplug comes: at a point of the flip's request, when its
// vblank comes, its frame is shown or its event is sent, while nothing happens,
// or while the vblank, a signal of its fence or a close of the file races with
// the unplug.
var soakMoments = []string{"guarded", "handled", "done", "vblank", "frame", "event", "pending", "race", "close"}

// cycle plugs in a card, flips a few times, and unplugs it at a moment of the
// last flip.
func (s *soak) cycle(n int) {
	parent, err := s.bus.Add(fmt.Sprint("card", n))
	if err != nil {
		s.Fatal(err)
	}
	if err := parent.Bind(s.driver.BusDriver()); err != nil {
		s.Fatal(err)
	}
	client, err := drmtest.OpenAs(s.driver.Device().Primary(), drmtest.Self())
	if err != nil {
		s.Fatal(err)
	}
	f := &fixture{T: s.T, Client: client, clock: s.clock, driver: s.driver, parent: parent}
	f.allCaps()
	before, after := s.newFB(f), s.newFB(f)
	s.show(f, before)
	for range s.random.IntN(3) {
		f.must(f.flip(after.id, uapi.ModePageFlipEvent, 1))
		s.wantPicture(f, "before a vblank", before, after)
		f.step()
		f.event()
		before, after = after, before
		s.wantPicture(f, "after a flip", before)
	}
	stream := s.stream(f)
	r := s.request(f, after)

	removed := s.random.IntN(8) != 0 // otherwise the removal is planned
	moment := soakMoments[s.random.IntN(len(soakMoments))]
	if moment == "event" && s.random.IntN(4) != 0 {
		moment = "race" // the flip is hardly in flight any more when its event is sent
	}
	if r.in != nil && slices.Contains([]string{"vblank", "frame", "event"}, moment) {
		r.in.Signal(nil) // as there would be no such moment
	}
	ended := make(chan error, 1)
	a := &aim{
		moment: moment, file: f.File, cmd: r.cmd,
		entered: make(chan struct{}), sent: make(chan struct{}), unplugged: make(chan struct{}),
	}
	a.unplug = func() {
		if removed {
			ended <- parent.Remove(s.Context())
			return
		}
		a.inFlight = isClosed(a.entered) && !isClosed(a.sent)
		ended <- errors.Join(parent.Unbind(s.Context()), parent.Remove(s.Context()))
	}
	detach := s.class.Trace(a)
	defer detach()
	waiters := s.waiters(f)
	flipped := r.send()
	over, cancel := context.WithCancel(s.Context())
	racing := make(chan struct{})
	race := func(do func()) {
		go func() {
			defer close(racing)
			for range s.random.IntN(3) {
				runtime.Gosched()
			}
			do()
		}()
	}
	step := func() { _ = s.clock.Step(over) }
	closed := false
	switch moment {
	case "guarded", "handled", "done":
		close(racing)
	case "vblank", "frame", "event":
		race(step)
	case "pending":
		close(racing)
		a.fire()
	case "race":
		race(func() {
			if r.in != nil {
				r.in.Signal(nil)
			}
			step()
		})
		a.fire()
	case "close":
		closed = true
		race(func() { f.File.Close() })
		a.fire()
	}
	select {
	case err = <-ended:
	case <-time.After(time.Minute):
		s.Fatalf("cycle %d, %s: the unplug does not end", n, moment)
	}
	if err != nil {
		s.Fatalf("cycle %d, %s: %v", n, moment, err)
	}
	cancel()
	<-racing
	for _, w := range waiters {
		if err := <-w; err != nil && !errors.Is(err, unix.ENODEV) &&
			!(closed && errors.Is(err, unix.EBADF)) && !(!removed && errors.Is(err, unix.EINVAL)) { // the CRTC is off

			s.Errorf("cycle %d, %s: a request that waits: %v", n, moment, err)
		}
		s.waited++
	}
	s.count(moment, a.inFlight && flipped == nil)
	s.check(f, r, stream, flipped, removed, closed, before, after)
	f.File.Close()
	s.wantNothingLeft(fmt.Sprintf("cycle %d, %s", n, moment))
	if err := s.clock.Step(over); err == nil {
		s.Errorf("cycle %d, %s: a timer is left", n, moment)
	}
}

// wantNothingLeft checks that the card goes away. A picture may still be being
// composed: its buffers go then.
func (s *soak) wantNothingLeft(when string) {
	d, deadline := s.driver.Device(), time.Now().Add(time.Minute)
	for d.State() != drm.Gone || d.Files() != 0 || d.Guards() != 0 || s.driver.Buffers().Objects() != 0 || s.driver.ModeConfig().Objects() > s.objects {
		if time.Now().After(deadline) {
			s.Fatalf("%s: the card is %v; left are %d files, %d guards, %d buffers and %d objects of %d", when, d.State(),
				d.Files(), d.Guards(), s.driver.Buffers().Objects(), s.driver.ModeConfig().Objects(), s.objects)
		}
		runtime.Gosched()
	}
}

func (s *soak) count(moment string, inFlight bool) {
	s.cycles++
	m := s.moments[moment]
	m[0]++
	if inFlight {
		s.inFlight++
		m[1]++
	}
	s.moments[moment] = m
}

// stream opens a stream of CRCs in every second cycle.
func (s *soak) stream(f *fixture) (stream *kms.CRCStream) {
	if s.random.IntN(2) == 0 {
		f.must(f.driver.Device().WithGuard(func(dev *drm.RegisteredDevice) (err error) {
			stream, err = f.driver.ModeConfig().CRTCs()[0].OpenCRC(dev)
			return err
		}))
	}
	return stream
}

// waiters starts requests that wait.
func (s *soak) waiters(f *fixture) (waiters []chan error) {
	wait := func(request func() error) {
		done := make(chan error, 1)
		waiters = append(waiters, done)
		go func() { done <- request() }()
	}
	if s.random.IntN(3) == 0 {
		wait(func() error {
			return ioctl(f, uapi.IoctlWaitVblank, waitArg(uapi.VblankRelative, 1000, 0))
		})
	}
	if s.random.IntN(3) == 0 {
		f.must(ioctl(f, uapi.IoctlWaitVblank, waitArg(uapi.VblankRelative|uapi.VblankEvent, 1000, 2)))
	}
	if s.random.IntN(10) == 0 {
		wait(func() error {
			other, err := drmtest.OpenAs(f.driver.Device().Primary(), drmtest.Self())
			for ; err == nil; runtime.Gosched() {
				err = drmtest.Ioctl(other, uapi.IoctlModeGetCRTC, &uapi.ModeCRTC{CRTCID: crtcID})
			}
			if other != nil {
				other.File.Close()
			}
			return err
		})
	}
	return waiters
}

// check checks what is left of the flip after the unplug.
func (s *soak) check(f *fixture, r *soakRequest, stream *kms.CRCStream, flipped error, removed, closed bool, before, after *soakFB) {
	switch {
	case flipped == nil:
		s.accepted++
	case errors.Is(flipped, unix.ENODEV), !removed && (errors.Is(flipped, unix.EINVAL) || errors.Is(flipped, unix.EBUSY)):
		s.refused++ // EINVAL and EBUSY: a planned removal has switched the CRTC off
	default:
		s.Errorf("the flip: %v", flipped)
	}
	if !closed {
		want(s, "GETCRTC after the unplug", ioctl(f, uapi.IoctlModeGetCRTC, &uapi.ModeCRTC{CRTCID: crtcID}), unix.ENODEV)
		s.checkEvents(f, flipped)
		if removed {
			s.wantPicture(f, "after the unplug", before, after)
		} else if _, err := f.screenshot(); !errors.Is(err, unix.ENODEV) {
			s.Errorf("a screenshot of a display that was switched off: %v", err)
		}
	}
	if stream != nil {
		s.checkCRCs(stream, before.crc(), after.crc())
	}
	if r.out != 0 {
		s.fenceStatus(f, r, r.out, flipped)
	}
	if r.wrote != 0 && s.fenceStatus(f, r, r.wrote, flipped) == 1 && !closed {
		s.writebacks++
		for i := 0; i < soakWidth*soakHeight*4; i += 4 {
			if got := r.target.pixels[i : i+4]; [4]byte(got) != [4]byte{after.color.B, after.color.G, after.color.R, 0xff} {
				s.Fatalf("pixel %d of the writeback is % x, want %v", i/4, got, after.color)
			}
		}
	}
	if r.inFD >= 0 {
		r.in.Signal(nil)
		f.must(drmtest.CloseFD(r.inFD))
	}
}

// checkEvents reads all events. A flip that was accepted has sent one.
func (s *soak) checkEvents(f *fixture, flipped error) {
	flips := 0
	buf := make([]byte, 32)
	for {
		n, err := f.File.Read(context.Background(), buf, true)
		if errors.Is(err, unix.ENODEV) {
			break
		}
		if err != nil || n != len(buf) {
			s.Fatalf("reading an event: %d bytes, %v", n, err)
		}
		s.events++
		if binary.NativeEndian.Uint64(buf[8:]) == soakFlip {
			flips++
		}
	}
	if accepted := flipped == nil; accepted != (flips == 1) || flips > 1 {
		s.Errorf("%d events of a flip that returned %v", flips, flipped)
	}
}

func (s *soak) checkCRCs(stream *kms.CRCStream, want ...uint32) {
	defer stream.Close()
	for last := uint32(0); ; {
		crc, err := stream.Next(s.Context())
		if err != nil {
			if !errors.Is(err, unix.ENODEV) && !errors.Is(err, unix.EBADF) {
				s.Errorf("CRCs: %v", err)
			}
			return
		}
		if !slices.Contains(want, crc.Value) || crc.Frame <= last {
			s.Errorf("the CRC of frame %d is %#x, of none of the pictures; the last frame was %d", crc.Frame, crc.Value, last)
		}
		last = crc.Frame
		s.crcs++
	}
}

// fenceStatus closes an out-fence, which must be signalled, and returns its
// status. A flip that was refused has none.
func (s *soak) fenceStatus(f *fixture, r *soakRequest, ptr uint64, flipped error) int32 {
	var b [4]byte
	f.must(f.CopyFromUser(b[:], ptr))
	fd := int32(binary.NativeEndian.Uint32(b[:]))
	if flipped != nil {
		if fd >= 0 && fd != 77 {
			s.Errorf("a flip that returned %v has an out-fence %d", flipped, fd)
		}
		return 0
	}
	if fd < 0 {
		s.Errorf("a flip that was accepted has the out-fence %d", fd)
		return 0
	}
	info, _ := f.fenceInfo(fd)
	for deadline := time.Now().Add(time.Minute); ptr != r.out && info.Status == 0 && time.Now().Before(deadline); info, _ = f.fenceInfo(fd) {
		runtime.Gosched() // the picture is still being written
	}
	if info.Status == 0 {
		s.Errorf("an out-fence is not signalled after the unplug")
	}
	f.must(drmtest.CloseFD(fd))
	s.fences++
	return info.Status
}

func (s *soak) report() {
	s.Logf("%d cycles, %d with a flip in flight at the unplug; %d flips accepted, %d refused; checked %d events, %d pictures, %d CRCs, %d fences, %d writebacks, %d waiting requests",
		s.cycles, s.inFlight, s.accepted, s.refused, s.events, s.pictures, s.crcs, s.fences, s.writebacks, s.waited)
	for _, m := range soakMoments {
		s.Logf("%s: %d of %d in flight", m, s.moments[m][1], s.moments[m][0])
	}
	if s.inFlight*10 < s.cycles*7 {
		s.Errorf("only %d of %d cycles had a flip in flight", s.inFlight, s.cycles)
	}
}
