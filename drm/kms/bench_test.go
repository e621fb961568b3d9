package kms_test

import (
	"testing"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
)

// BenchmarkPageFlip is the whole way of a flip, its vblank and its event,
// without the trap of a supervised program.
func BenchmarkPageFlip(b *testing.B) {
	clock := new(kms.ManualClock)
	config := vkms.DefaultConfig()
	config.Clock = clock
	driver := vkms.NewDriver(drm.NewClass(), config)
	drmtest.Bind(b, bus.New("platform"), "vkms", driver)
	c := drmtest.Open(b, driver.Device().Primary())
	dumb := uapi.ModeCreateDumb{Width: 1024, Height: 768, BPP: 32}
	fb := uapi.ModeFBCmd{Width: 1024, Height: 768, BPP: 32, Depth: 24, Pitch: 4096, Handle: 1}
	set := uapi.ModeCRTC{CRTCID: crtcID, ModeValid: 1, CountConnectors: 1,
		SetConnectorsPtr: drmtest.PutSlice(c.Arena, []uint32{connectorID}),
		Mode: uapi.ModeInfo{Clock: 65000, HDisplay: 1024, HSyncStart: 1048, HSyncEnd: 1184, HTotal: 1344,
			VDisplay: 768, VSyncStart: 771, VSyncEnd: 777, VTotal: 806}}
	must := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	must(drmtest.Ioctl(c, uapi.IoctlModeCreateDumb, &dumb))
	must(drmtest.Ioctl(c, uapi.IoctlModeAddFB, &fb))
	set.FBID = fb.FBID
	done := make(chan error, 1)
	go func() { done <- drmtest.Ioctl(c, uapi.IoctlModeSetCRTC, &set) }()
	must(clock.Step(b.Context()))
	must(<-done)
	events := make([]byte, 32)
	b.ReportAllocs()
	for b.Loop() {
		must(drmtest.Ioctl(c, uapi.IoctlModePageFlip, &uapi.ModeCRTCPageFlip{CRTCID: crtcID, FBID: fb.FBID, Flags: uapi.ModePageFlipEvent}))
		must(clock.Step(b.Context()))
		if _, err := c.File.Read(b.Context(), events, true); err != nil {
			b.Fatal(err)
		}
	}
}
