package kms_test

import (
	"testing"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/internal/kmsclient"
)

// BenchmarkPageFlip measures a whole flip with its vblank and its event, without
// the trap of a supervised program.
func BenchmarkPageFlip(b *testing.B) {
	clock := new(kms.ManualClock)
	config := vkms.ConfigOf(drm.Linux612)
	config.Clock = clock
	driver := vkms.NewDriver(drm.NewClass(drm.ClassOptions{}), config)
	drmtest.Bind(b, bus.New("platform"), "vkms", driver.BusDriver())
	c := drmtest.Open(b, driver.Device().Primary())
	must := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	setup := kmsclient.New(c.Process())
	d, err := setup.Display()
	must(err)
	fb, err := setup.NewFB(1024, 768, 32, uapi.FormatXRGB8888)
	must(err)
	done := make(chan error, 1)
	go func() { done <- setup.SetCRTC(d, fb, d.Mode) }()
	must(clock.Step(b.Context()))
	must(<-done)
	events := make([]byte, 32)
	b.ReportAllocs()
	for b.Loop() {
		must(drmtest.Ioctl(c, uapi.IoctlModePageFlip, &uapi.ModeCRTCPageFlip{CRTCID: d.CRTC, FBID: fb, Flags: uapi.ModePageFlipEvent}))
		must(clock.Step(b.Context()))
		if _, err := c.File.Read(b.Context(), events, true); err != nil {
			b.Fatal(err)
		}
	}
}
