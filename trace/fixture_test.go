package trace_test

import (
	"bytes"
	"testing"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/internal/kmsclient"
	"github.com/udrm/udrm/trace"
)

// A fixture is a traced card with a client.
type fixture struct {
	t testing.TB
	*kmsclient.Client
	class  *drm.Class
	driver *vkms.Driver
	parent *bus.Device
	file   *drmtest.Client

	output   bytes.Buffer // complete after records
	recorder *trace.Recorder
	detach   func()
}

func newFixture(t testing.TB) *fixture {
	f := &fixture{t: t, class: drm.NewClass(drm.ClassOptions{})}
	f.recorder = trace.NewRecorder(&f.output)
	f.detach = f.class.Trace(f.recorder)
	f.driver = vkms.NewDriver(f.class, vkms.Config{Kernel: drm.Linux612, Cursor: true, Syncobj: true})
	f.parent = drmtest.Bind(t, bus.New("platform"), "vkms", f.driver.BusDriver())
	f.file = drmtest.Open(t, f.driver.Device().Primary())
	f.Client = kmsclient.New(f.file.Process())
	return f
}

// records ends the trace and returns it.
func (f *fixture) records() []trace.Record {
	f.t.Helper()
	f.detach()
	f.must(f.recorder.Close())
	records, err := trace.Read(bytes.NewReader(f.output.Bytes()))
	f.must(err)
	return records
}

func (f *fixture) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// session is what a simple display program does, with one error.
func (f *fixture) session() {
	f.t.Helper()
	f.must(f.SetClientCap(uapi.ClientCapAtomic, 1))
	_, err := f.Driver()
	f.must(err)
	display, err := f.Display()
	f.must(err)
	_, err = f.Properties(display.ID, uapi.ModeObjectConnector)
	f.must(err)
	fb, err := f.NewFB(uint32(display.Mode.HDisplay), uint32(display.Mode.VDisplay), 32, uapi.FormatXRGB8888)
	f.must(err)
	f.must(f.SetCRTC(display, fb, display.Mode))
	f.must(f.PageFlip(display.CRTC, fb, 0x1234))
	_, err = f.file.Process().Read(make([]byte, 64)) // its event
	f.must(err)
	if f.RemoveFB(99) == nil {
		f.t.Error("RMFB of framebuffer 99 succeeded")
	}
	_ = kmsclient.Ioctl(f, uapi.IoctlModeGetProperty, &uapi.ModeGetProperty{PropID: 9999})
	blob, err := f.CreateModeBlob(&display.Mode)
	f.must(err)
	f.atomic(display, blob, fb)
}

// atomic tests a modeset.
func (f *fixture) atomic(display *kmsclient.Display, blob, fb uint32) {
	f.t.Helper()
	crtc, err := f.Properties(display.CRTC, uapi.ModeObjectCRTC)
	f.must(err)
	planes, err := f.Planes()
	f.must(err)
	plane, err := f.Properties(planes[0], uapi.ModeObjectPlane)
	f.must(err)
	id := func(props kmsclient.Properties, name string) uint32 {
		p, ok := props.Get(name)
		if !ok {
			f.t.Fatalf("no property %s", name)
		}
		return p.ID
	}
	a := f.file.Arena
	props := []uint32{id(crtc, "MODE_ID"), id(crtc, "ACTIVE"), id(plane, "FB_ID"), id(plane, "SRC_W")}
	arg := uapi.ModeAtomic{
		Flags:         uapi.ModeAtomicTestOnly | uapi.ModeAtomicAllowModeset,
		CountObjs:     2,
		ObjsPtr:       drmtest.PutSlice(a, []uint32{display.CRTC, planes[0]}),
		CountPropsPtr: drmtest.PutSlice(a, []uint32{2, 2}),
		PropsPtr:      drmtest.PutSlice(a, props),
		PropValuesPtr: drmtest.PutSlice(a, []uint64{uint64(blob), 1, uint64(fb), uint64(display.Mode.HDisplay) << 16}),
	}
	f.must(drmtest.Ioctl(f.file, uapi.IoctlModeAtomic, &arg))
}
