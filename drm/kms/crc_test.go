package kms_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/mode"
	"github.com/udrm/udrm/drm/uapi"
)

// slowCRC computes CRC-32 bit by bit, as the kernel's crc32_le does from 0.
func slowCRC(data []byte) (crc uint32) {
	for _, b := range data {
		crc ^= uint32(b)
		for range 8 {
			if crc&1 != 0 {
				crc = crc>>1 ^ 0xedb88320
			} else {
				crc >>= 1
			}
		}
	}
	return crc
}

// openCRC opens the stream of the CRTC.
func (f *fixture) openCRC() (s *kms.CRCStream, err error) {
	f.Helper()
	f.must(f.driver.Device().WithGuard(func(dev *drm.RegisteredDevice) error {
		s, err = f.driver.ModeConfig().CRTCs()[0].OpenCRC(dev)
		return nil
	}))
	return s, err
}

// crc returns the next CRC, which must be on its way.
func (f *fixture) crc(s *kms.CRCStream) kms.CRC {
	f.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	c, err := s.Next(ctx)
	f.must(err)
	return c
}

func TestCRC(t *testing.T) {
	f := newFixture(t)
	crtc := f.driver.ModeConfig().CRTCs()[0]
	_, err := f.openCRC()
	want(t, "while the CRTC is off", err, unix.EIO)
	fb := f.enable()
	pixels, pitch := f.pixels(fb)
	for i := range pixels {
		pixels[i] = byte(i * i >> 4)
	}
	f.step0(t) // no stream is open: no timer is set
	s, err := f.openCRC()
	f.must(err)
	defer s.Close()
	_, err = f.openCRC()
	want(t, "a second stream", err, unix.EBUSY)
	want(t, "choosing a source while CRCs are read", crtc.SetCRCControl([]byte("auto")), unix.EBUSY)

	// Alpha, red, green, blue of each pixel, 16 bits each.
	var picture []byte
	for y := range 768 {
		for x := range 1024 {
			p := pixels[y*pitch+4*x:]
			for _, v := range []uint16{0xffff, uint16(p[2]) * 257, uint16(p[1]) * 257, uint16(p[0]) * 257} {
				picture = binary.LittleEndian.AppendUint16(picture, v)
			}
		}
	}
	f.step()
	first := f.crc(s)
	if sum := slowCRC(picture); first.Value != sum {
		t.Errorf("CRC %#x, want %#x, which is that of the picture", first.Value, sum)
	}
	f.step()
	f.step()
	for i := range uint32(2) {
		if got, want := f.crc(s), (kms.CRC{Frame: first.Frame + 1 + i, Value: first.Value}); got != want {
			t.Errorf("next CRC %v, want %v", got, want)
		}
	}

	// A commit changes the picture from the frame of its event on.
	cursor := f.fb(64, 64, uapi.FormatARGB8888)
	white, _ := f.pixels(cursor)
	for i := range white {
		white[i] = 0xff
	}
	black := f.fb(1024, 768, uapi.FormatXRGB8888)
	f.must(f.flip(black, uapi.ModePageFlipEvent, 0))
	f.step()
	e := f.event()
	blackCRC := f.crc(s)
	if blackCRC.Frame != e.Sequence || blackCRC.Frame != first.Frame+3 || blackCRC.Value == first.Value {
		t.Errorf("CRC of the frame of event %d is %v, the first was %v", e.Sequence, blackCRC, first)
	}
	f.must(f.flip(fb, 0, 0))
	f.step()
	if got := f.crc(s); got.Value != first.Value {
		t.Errorf("CRC of the same picture is %v, want %v", got, first)
	}
	// A vblank does not capture a later commit.
	f.must(f.flip(black, 0, 0))
	f.step()
	f.must(ioctl(f, uapi.IoctlModeSetPlane, f.planeArg(cursorID, cursor, 0, 0, 64, 64)))
	if got := f.crc(s); got.Value != blackCRC.Value {
		t.Errorf("CRC of the black frame is %v, want %v", got, blackCRC)
	}
	f.step()
	if got := f.crc(s); got.Value == blackCRC.Value {
		t.Error("the cursor does not change the CRC")
	}

	// The stream continues after the CRTC was off.
	f.must(ioctl(f, uapi.IoctlModeSetPlane, f.planeArg(cursorID, 0, 0, 0, 64, 64)))
	f.disable()
	f.step0(t)
	arg := f.setCRTCArg(fb, "1024x768")
	f.must(f.stepping(s, func() error { return ioctl(f, uapi.IoctlModeSetCRTC, arg) }))
	f.step()
	last := f.crc(s)
	if last.Value != first.Value {
		t.Errorf("CRC of the same picture after a modeset is %v, want %v", last, first)
	}

	// A reader that is too slow loses frames, but the rest is in order.
	for range 200 {
		f.step()
	}
	frame := last.Frame
	for range 10 {
		c := f.crc(s)
		if c.Frame != frame+1 {
			t.Fatalf("frame %d after %d", c.Frame, frame)
		}
		frame = c.Frame
	}
	s.Close()
	if _, err := s.Next(t.Context()); err == nil {
		t.Error("a closed stream delivers CRCs")
	}
	f.must(crtc.SetCRCControl([]byte("auto\n")))
	again, err := f.openCRC()
	f.must(err)
	again.Close()
}

// stepping runs a request that waits for vblanks, and steps the clock until s
// has their CRCs.
func (f *fixture) stepping(s *kms.CRCStream, request func() error) error {
	f.Helper()
	done := make(chan error, 1)
	go func() { done <- request() }()
	for {
		f.step()
		f.crc(s)
		if len(done) > 0 {
			return <-done
		}
	}
}

// step0 fails the test if a timer of the clock is set.
func (f *fixture) step0(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if f.clock.Step(ctx) == nil {
		t.Error("a timer is set although no client needs it")
	}
}

// crcLineSize is the size of a read of crc/data.
const crcLineSize = 10 + 11 + 1 + 1

func TestCRCControl(t *testing.T) {
	f := newFixture(t)
	crtc := f.driver.ModeConfig().CRTCs()[0]
	for source, errno := range map[string]unix.Errno{
		"auto": 0, "auto\n": 0, "auto\x00rest": 0, "": 0, "foo": unix.EINVAL, "\n": unix.EINVAL, "auto\n\n": unix.EINVAL,
		"auto ": unix.EINVAL, string(make([]byte, 4096)): unix.E2BIG,
	} {
		want(t, source, crtc.SetCRCControl([]byte(source)), errno)
	}
	if got := crtc.CRCControl(); got != "auto*\n" {
		t.Errorf("control has %q", got)
	}
	if got := string(kms.CRC{Frame: 0x12, Value: 0xabcdef01}.Line()); got != "0x00000012 0xabcdef01\n\x00" || len(got) != crcLineSize {
		t.Errorf("a line is %q", got)
	}
}

// TestCRCUnplug checks that an unplug ends the stream and wakes its readers.
func TestCRCUnplug(t *testing.T) {
	f := newFixture(t)
	f.enable()
	s, err := f.openCRC()
	f.must(err)
	defer s.Close()
	f.step()
	waiting := make(chan error)
	go func() {
		for {
			if _, err := s.Next(context.Background()); err != nil {
				waiting <- err
				return
			}
		}
	}()
	f.must(f.parent.Remove(context.Background()))
	want(t, "waiting for a CRC", <-waiting, unix.ENODEV)
	if !s.Readable(t.Context()) {
		t.Error("a stream that has ended is not readable")
	}
}

// A crcSink receives what a reader of crc/data would read.
type crcSink struct {
	lines  chan string
	hungUp chan struct{}
}

func (s *crcSink) Deliver(line []byte) error { s.lines <- string(line); return nil }
func (s *crcSink) Unread() int               { return 0 }
func (s *crcSink) HangUp()                   { close(s.hungUp) }

// TestCRCFiles uses the files in debugfs as IGT does.
func TestCRCFiles(t *testing.T) {
	f := newFixture(t)
	files := make(map[string]drm.DebugfsFile)
	for _, file := range f.driver.Device().DebugfsFiles() {
		files[file.Path] = file
	}
	control, data := files["crtc-0/crc/control"], files["crtc-0/crc/data"]
	if control.Show == nil || control.Store == nil || data.Open == nil {
		t.Fatalf("control is %+v, data %+v", control, data)
	}
	sink := &crcSink{make(chan string, 10), make(chan struct{})}
	_, err := data.Open(sink)
	want(t, "data while the CRTC is off", err, unix.EIO)
	f.enable()
	want(t, "a bad source", control.Store("foo"), unix.EINVAL)
	_, err = data.Open(sink)
	want(t, "data of a bad source", err, unix.EINVAL)
	want(t, "a good source", control.Store("auto"), 0)
	file, err := data.Open(sink)
	f.must(err)
	_, err = data.Open(sink)
	want(t, "data twice", err, unix.EBUSY)
	f.step()
	if line := <-sink.lines; len(line) != crcLineSize || line[:2] != "0x" || line[21:] != "\n\x00" {
		t.Errorf("a line is %q", line)
	}
	f.must(file.Close())
	file, err = data.Open(sink)
	f.must(err)
	f.must(f.parent.Remove(context.Background()))
	<-sink.hungUp
	f.must(file.Close())
}

// TestCRCDepth checks that the CRC is that of the signal where "max bpc" limits
// its bits per component.
func TestCRCDepth(t *testing.T) {
	p, f := newBare(t, policy{attach: func(p *bare) { p.connector.AttachMaxBPCProperty(6, 16) }})
	f.guarded(func(dev *drm.RegisteredDevice) error {
		p.connector.Hotplug(dev, uapi.ModeConnected, &kms.Monitor{Modes: []mode.Mode{mode1024}, BPC: 10})
		return nil
	})
	fb := f.enable()
	pixels, pitch := f.pixels(fb)
	for i := range pixels {
		pixels[i] = byte(i * i >> 4)
	}
	for _, tc := range []struct {
		max  uint64
		want int
	}{{16, 10}, {8, 8}, {6, 6}} {
		f.must(f.blocking(func() error {
			return f.atomic(uapi.ModeAtomicAllowModeset, 0, f.set(p.connector, "max bpc", tc.max))
		}))
		// signal returns the 16 bits of a component: its own, again and again.
		signal := func(b byte) uint16 {
			highest := float64(uint(1)<<tc.want - 1)
			bits := strings.Repeat(fmt.Sprintf("%0*b", tc.want, int(math.Round(float64(b)/255*highest))), 3)
			v, err := strconv.ParseUint(bits[:16], 2, 16)
			f.must(err)
			return uint16(v)
		}
		var signals [256]uint16
		for b := range signals {
			signals[b] = signal(byte(b))
		}
		var picture []byte
		for y := range 768 {
			for x := range 1024 {
				p := pixels[y*pitch+4*x:]
				for _, v := range []uint16{0xffff, signals[p[2]], signals[p[1]], signals[p[0]]} {
					picture = binary.LittleEndian.AppendUint16(picture, v)
				}
			}
		}
		s, err := f.openCRC()
		f.must(err)
		f.step()
		if got, want := f.crc(s).Value, slowCRC(picture); got != want {
			t.Errorf("max bpc %d on a monitor with 10: CRC %#x, want %#x", tc.max, got, want)
		}
		s.Close()
	}
}
