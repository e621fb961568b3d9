package kms_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/uapi"
)

// TestUnplugCompletesEverything checks that an unplug leaves no client waiting,
// as docs/concepts.md promises.
func TestUnplugCompletesEverything(t *testing.T) { onEachDisplay(t, testUnplugCompletesEverything) }

func testUnplugCompletesEverything(f *fixture) {
	t := f.T
	a := f.enable()
	b := f.fb(1024, 768, uapi.FormatXRGB8888)
	f.must(f.flip(b, uapi.ModePageFlipEvent, 1))
	f.must(ioctl(f, uapi.IoctlWaitVblank, waitArg(uapi.VblankRelative|uapi.VblankEvent, 100_000, 2)))
	f.must(ioctl(f, uapi.IoctlCRTCQueueSequence, &uapi.CRTCQueueSequence{
		CRTCID: f.crtc(), Flags: uapi.CRTCSequenceRelative, Sequence: 100_000, UserData: 3,
	}))
	inFlight := map[string]chan error{}
	begin := func(name string, request func(c *fixture) error) {
		done := make(chan error, 1)
		inFlight[name] = done
		guards := f.driver.Device().Guards()
		go func() { done <- request(f) }()
		for f.driver.Device().Guards() == guards { // until it is in its handler
			runtime.Gosched()
		}
	}
	begin("WAIT_VBLANK far ahead", func(c *fixture) error {
		return ioctl(c, uapi.IoctlWaitVblank, waitArg(uapi.VblankRelative, 100_000, 0))
	})
	begin("a blocking SETPLANE behind a flip", func(c *fixture) error {
		return ioctl(c, uapi.IoctlModeSetPlane, f.planeArg(f.primary(), a, 0, 0, 1024, 768))
	})
	if err := f.parent.Remove(context.Background()); err != nil {
		t.Fatal(err)
	}
	for name, done := range inFlight {
		want(t, name, <-done, 0)
	}
	got := []uint64{f.event().UserData, f.event().UserData, f.event().UserData}
	slices.Sort(got)
	if !slices.Equal(got, []uint64{1, 2, 3}) {
		t.Errorf("the events of %v came", got)
	}
	if _, err := f.File.Read(context.Background(), make([]byte, 32), false); !errors.Is(err, unix.ENODEV) {
		t.Errorf("reading on: %v, want ENODEV", err)
	}
	for _, arg := range []*uapi.ModeCRTC{{CRTCID: f.crtc()}, {CRTCID: 9999}} {
		want(t, "GETCRTC after the unplug", ioctl(f, uapi.IoctlModeGetCRTC, arg), unix.ENODEV)
	}
	want(t, "PAGE_FLIP after the unplug", f.flip(a, 0, 0), unix.ENODEV)

	// The last picture is there as long as the client is; then nothing is
	// left of it.
	if _, err := f.screenshot(); err != nil {
		t.Errorf("a screenshot after the unplug: %v", err)
	}
	f.File.Close()
	if n := f.driver.Buffers().Objects(); n != 0 {
		t.Errorf("%d buffers are left", n)
	}
	if _, err := f.screenshot(); !errors.Is(err, unix.ENODEV) {
		t.Errorf("a screenshot of nothing: %v", err)
	}
	if state := f.driver.Device().State(); state != drm.Gone {
		t.Errorf("the device is %v", state)
	}
}

// A planned removal switches the display off first.
func TestUnbindShutsDown(t *testing.T) { onEachDisplay(t, testUnbindShutsDown) }

func testUnbindShutsDown(f *fixture) {
	t := f.T
	fb := f.enable()
	f.must(f.flip(fb, uapi.ModePageFlipEvent, 7))
	if err := f.parent.Unbind(context.Background()); err != nil {
		t.Fatal(err)
	}
	if e := f.event(); e.UserData != 7 {
		t.Errorf("event %+v", e)
	}
	if _, err := f.screenshot(); !errors.Is(err, unix.ENODEV) {
		t.Errorf("a screenshot of a display that was switched off: %v", err)
	}
	f.File.Close()
	if n := f.driver.Buffers().Objects(); n != 0 {
		t.Errorf("%d buffers are left", n)
	}
	// The device can be bound again.
	if err := f.parent.Bind(f.driver.BusDriver()); err != nil {
		t.Fatal(err)
	}
	again := *f
	again.Client = drmtest.Open(t, f.driver.Device().Primary())
	again.enable()
}

func TestConnectorsComeAndGo(t *testing.T) {
	class := drm.NewClass(drm.ClassOptions{})
	var events []string
	class.Subscribe(func(e drm.Uevent) { events = append(events, e.Action+" "+e.Kobject.Name+" "+e.Kobject.DevType) })
	driver := vkms.NewDriver(class, vkms.ConfigOf(drm.Linux612))
	f := &fixture{T: t, driver: driver, parent: bindTo(t, driver)}
	f.Client = drmtest.Open(t, driver.Device().Primary())
	attrs := func() map[string]string {
		list := map[string]string{}
		for _, k := range class.Kobjects() {
			for _, a := range k.Attrs {
				list[k.Name+"/"+a.Name] = a.Show()
			}
		}
		return list
	}
	before := attrs()
	f.enable()
	after := attrs()
	for name, values := range map[string][2]string{
		"card0-Virtual-1/connector_id":   {"39\n", "39\n"},
		"card0-Virtual-1/status":         {"connected\n", "connected\n"},
		"card0-Virtual-1/enabled":        {"disabled\n", "enabled\n"},
		"card0-Virtual-1/dpms":           {"On\n", "On\n"},
		"card0-Virtual-1/edid":           {"", ""},
		"card0-Writeback-1/connector_id": {"46\n", "46\n"},
		"card0-Writeback-1/status":       {"unknown\n", "unknown\n"},
		"card0-Writeback-1/enabled":      {"disabled\n", "disabled\n"},
		"card0-Writeback-1/modes":        {"", ""},
	} {
		if got := [2]string{before[name], after[name]}; got != values {
			t.Errorf("%s is %q, want %q", name, got, values)
		}
	}
	if modes := after["card0-Virtual-1/modes"]; len(modes) == 0 || modes[:9] != "1024x768\n" {
		t.Errorf("modes %q", modes)
	}
	if err := f.parent.Remove(context.Background()); err != nil {
		t.Fatal(err)
	}
	if want := []string{
		"add card0 drm_minor",
		"add card0-Virtual-1 drm_connector",
		"add card0-Writeback-1 drm_connector",
		"remove card0-Virtual-1 drm_connector",
		"remove card0-Writeback-1 drm_connector",
		"remove card0 drm_minor",
	}; !slices.Equal(events, want) {
		t.Errorf("uevents %q", events)
	}
}
