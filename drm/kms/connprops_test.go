package kms_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
)

// A ueventLog records the uevents of a fixture's device.
type ueventLog struct {
	mu  sync.Mutex
	all []string
}

func logUevents(f *fixture) *ueventLog {
	l := new(ueventLog)
	f.Cleanup(f.driver.Device().Class().Subscribe(func(e drm.Uevent) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.all = append(l.all, strings.Join(e.Env, " "))
	}))
	return l
}

func (l *ueventLog) has(uevent string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Contains(l.all, uevent)
}

// guarded calls f inside a guard of the device.
func (f *fixture) guarded(call func(dev *drm.RegisteredDevice) error) {
	f.Helper()
	f.must(f.driver.Device().WithGuard(call))
}

// eventually waits for a condition that another goroutine makes true.
func (f *fixture) eventually(what string, ok func() bool) {
	f.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for !ok() {
		select {
		case <-ctx.Done():
			f.Fatalf("%s: not within 20 seconds", what)
		case <-time.After(time.Millisecond):
		}
	}
}

// TestSignalProperties checks which properties of a connector interrupt its
// signal, and their first values.
func TestSignalProperties(t *testing.T) {
	p, f := newBare(t, policy{attach: func(p *bare) {
		c := p.connector
		c.AttachHDROutputMetadataProperty()
		c.AttachColorspaceProperty(0)
		c.AttachMaxBPCProperty(8, 12)
		c.AttachContentTypeProperty()
		c.AttachBroadcastRGBProperty()
		c.AttachAspectRatioProperty()
		c.AttachPanelOrientationProperty(kms.OrientationRightUp)
		c.AttachScalingModeProperty(1<<uapi.ModeScaleFullscreen|1<<uapi.ModeScaleAspect, uapi.ModeScaleAspect)
		c.AttachTVModeProperty(0xff, 3)
		c.AttachSubconnectorProperties(uapi.ModeSubconnectorSVideo)
		c.AttachPathProperty("mst:39-1")
	}})
	f.enable()
	for _, tc := range []struct {
		name          string
		first, second uint64
		modeset       bool
		invalid       uint64
	}{
		{"Colorspace", 0, 9, true, 13}, // BT2020_RGB; RGB_WIDE_FIXED is for DisplayPort
		{"max bpc", 12, 8, true, 7},
		{"content type", 0, 4, false, 5},
		{"Broadcast RGB", 0, 2, true, 3},
		{"aspect ratio", 0, 2, true, 3},
		{"scaling mode", uapi.ModeScaleAspect, uapi.ModeScaleFullscreen, true, uapi.ModeScaleNone},
		{"TV mode", 3, 0, true, 8},
		{"select subconnector", 0, uapi.ModeSubconnectorSCART, true, 1},
	} {
		f.wantValue("at first", p.connector, tc.name, tc.first)
		change := f.set(p.connector, tc.name, tc.second)
		if errno := unix.EINVAL; tc.modeset {
			want(t, tc.name+" without ALLOW_MODESET", f.atomic(uapi.ModeAtomicTestOnly, 0, change), errno)
		}
		f.must(f.blocking(func() error {
			flags := uint32(0)
			if tc.modeset {
				flags = uapi.ModeAtomicAllowModeset
			}
			return f.atomic(flags, 0, change)
		}))
		f.wantValue("after a commit", p.connector, tc.name, tc.second)
		want(t, tc.name+" again, without ALLOW_MODESET", f.atomic(uapi.ModeAtomicTestOnly, 0, change), 0)
		want(t, tc.name+" out of range", f.atomic(uapi.ModeAtomicAllowModeset, 0, f.set(p.connector, tc.name, tc.invalid)), unix.EINVAL)
	}
	for name, value := range map[string]uint64{
		"panel orientation": 3, "subconnector": uapi.ModeSubconnectorSVideo,
	} {
		f.wantValue("at first", p.connector, name, value)
		want(t, name+", which is immutable", f.atomic(uapi.ModeAtomicAllowModeset, 0, f.set(p.connector, name, 0)), unix.EINVAL)
	}
	if _, blob := f.named(p.connector, "PATH"); blob == 0 {
		t.Error("PATH has no blob")
	} else if data, _ := f.readBlob(uint32(blob)); string(data) != "mst:39-1\x00" {
		t.Errorf("PATH is %q", data)
	}

	metadata := make([]byte, 32)
	for _, tc := range []struct {
		size  int
		errno unix.Errno
	}{{31, unix.EINVAL}, {33, unix.EINVAL}, {32, 0}} {
		blob := f.createBlob(append(metadata, 0)[:tc.size])
		err := f.blocking(func() error {
			return f.atomic(uapi.ModeAtomicAllowModeset, 0, f.set(p.connector, "HDR_OUTPUT_METADATA", uint64(blob)))
		})
		want(t, fmt.Sprintf("metadata of %d bytes", tc.size), err, tc.errno)
	}
	same := f.createBlob(metadata)
	f.must(f.blocking(func() error { return f.atomic(0, 0, f.set(p.connector, "HDR_OUTPUT_METADATA", uint64(same))) }))
	f.wantValue("the same metadata without ALLOW_MODESET", p.connector, "HDR_OUTPUT_METADATA", uint64(same))
	metadata[4] = 2
	other := f.createBlob(metadata)
	want(t, "other metadata without ALLOW_MODESET", f.atomic(0, 0, f.set(p.connector, "HDR_OUTPUT_METADATA", uint64(other))), unix.EINVAL)
}

// TestLinkStatus checks that only the device can say that a link is bad, and
// that a client mends it with a modeset.
func TestLinkStatus(t *testing.T) {
	p, f := newBare(t, policy{})
	fb := f.enable()
	uevents := logUevents(f)
	good := f.set(p.connector, "link-status", uapi.ModeLinkStatusGood)
	f.must(f.blocking(func() error { return f.atomic(0, 0, f.set(p.connector, "link-status", uapi.ModeLinkStatusBad)) }))
	f.wantValue("after a client said that it is bad", p.connector, "link-status", uapi.ModeLinkStatusGood)
	f.guarded(func(dev *drm.RegisteredDevice) error { p.connector.LoseLink(dev); return nil })
	f.wantValue("after the device said so", p.connector, "link-status", uapi.ModeLinkStatusBad)
	if !uevents.has(fmt.Sprintf("HOTPLUG=1 CONNECTOR=%d", p.connector.ID())) {
		t.Errorf("no uevent of a hot-plug: %q", uevents.all)
	}
	want(t, "a flip on a bad link", f.blocking(func() error { return f.atomic(0, 0, f.set(p.primary, "FB_ID", uint64(fb))) }), 0)
	want(t, "good, without ALLOW_MODESET", f.atomic(0, 0, good), unix.EINVAL)
	want(t, "good", f.blocking(func() error { return f.atomic(uapi.ModeAtomicAllowModeset, 0, good) }), 0)
	f.wantValue("after a modeset", p.connector, "link-status", uapi.ModeLinkStatusGood)
}

// TestPrivacyScreen checks that the screen follows clients.
func TestPrivacyScreen(t *testing.T) {
	p, f := newBare(t, policy{attach: func(p *bare) { p.connector.AttachPrivacyScreenProperties() }})
	f.enable()
	set := func(value uint64) {
		t.Helper()
		f.must(f.blocking(func() error { return f.atomic(0, 0, f.set(p.connector, "privacy-screen sw-state", value)) }))
	}
	set(1)
	f.wantValue("on", p.connector, "privacy-screen hw-state", 1)
	set(0)
	f.wantValue("off", p.connector, "privacy-screen hw-state", 0)
	id, _ := f.named(p.connector, "privacy-screen hw-state")
	want(t, "setting the state of the hardware", f.atomic(0, 0, change{p.connector.ID(), id, 0}), unix.EINVAL)
}

// TestContentProtection checks the state machine of HDCP.
func TestContentProtection(t *testing.T) {
	const undesired, desired, enabled = uapi.ModeContentProtectionUndesired, uapi.ModeContentProtectionDesired, uapi.ModeContentProtectionEnabled
	p, f := newBare(t, policy{attach: func(p *bare) { p.connector.AttachContentProtectionProperty(true) }})
	uevents := logUevents(f)
	id, value := f.named(p.connector, "Content Protection")
	if value != undesired {
		t.Errorf("at first it is %d", value)
	}
	set := func(value uint64, more ...change) {
		t.Helper()
		f.must(f.blocking(func() error {
			return f.atomic(uapi.ModeAtomicAllowModeset, 0, append(more, change{p.connector.ID(), id, value})...)
		}))
	}
	becomes := func(what string, value uint64) {
		t.Helper()
		f.eventually(what, func() bool { _, got := f.named(p.connector, "Content Protection"); return got == value })
	}
	set(desired)
	f.wantValue("while the display is off", p.connector, "Content Protection", desired)
	fb := f.enable()
	becomes("with a signal", enabled)
	event := fmt.Sprintf("HOTPLUG=1 CONNECTOR=%d PROPERTY=%d", p.connector.ID(), id)
	f.eventually("a uevent of the property", func() bool { return uevents.has(event) })
	want(t, "a client that enables it", f.atomic(0, 0, change{p.connector.ID(), id, enabled}), unix.EINVAL)
	set(desired)
	f.wantValue("desired again", p.connector, "Content Protection", enabled)
	f.must(f.blocking(func() error { return f.atomic(0, 0, f.set(p.primary, "FB_ID", uint64(fb))) }))
	f.wantValue("after a flip", p.connector, "Content Protection", enabled)
	f.disable()
	f.wantValue("without a signal", p.connector, "Content Protection", desired)
	f.enable()
	becomes("with a signal again", enabled)
	f.guarded(func(dev *drm.RegisteredDevice) error { return p.connector.UpdateContentProtection(dev, desired) })
	f.wantValue("after the link has lost it", p.connector, "Content Protection", desired)
	set(desired, f.set(p.connector, "HDCP Content Type", 1))
	becomes("of another type", enabled)
	set(undesired)
	f.wantValue("undesired", p.connector, "Content Protection", undesired)
	f.guarded(func(dev *drm.RegisteredDevice) error { return p.connector.UpdateContentProtection(dev, enabled) })
	f.wantValue("a device that is late", p.connector, "Content Protection", undesired)
}
