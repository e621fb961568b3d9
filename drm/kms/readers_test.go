package kms_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/uapi"
)

// TestReaders reads screenshots, CRCs and writebacks of a display while clients
// change it, until it is unplugged. Frames come in order, and nothing is left
// behind.
func TestReaders(t *testing.T) {
	f := newFixtureOf(t, vkms.ConfigOf(drm.Linux612))
	objects := f.driver.ModeConfig().Objects()
	fbs := []uint32{f.fb(640, 480, uapi.FormatXRGB8888), f.fb(640, 480, uapi.FormatXRGB8888)}
	target, cursor := f.fb(640, 480, uapi.FormatRGB565), f.fb(64, 64, uapi.FormatARGB8888)
	f.allCaps()
	fbID := f.wbProp("WRITEBACK_FB_ID")
	scene := append(f.scene(fbs[0], "640x480"), change{writebackID, crtcPropID, crtcID})
	f.must(f.atomic(uapi.ModeAtomicAllowModeset, 0, scene...))

	// Requests of one client share its arena, so they are laid out first.
	flips := []*uapi.ModeAtomic{
		f.atomicArg(0, 0, change{primaryID, fbPropID, uint64(fbs[0])}, change{writebackID, fbID, uint64(target)}),
		f.atomicArg(0, 0, change{primaryID, fbPropID, uint64(fbs[1])}),
	}
	var wg sync.WaitGroup
	until := func(what string, ended unix.Errno, do func(i int) error) {
		wg.Go(func() {
			for i := 0; ; i++ {
				switch err := do(i); {
				case errors.Is(err, ended):
					return
				case err != nil && !errors.Is(err, unix.EBUSY):
					t.Errorf("%s: %v", what, err)
					return
				}
			}
		})
	}
	until("flips", unix.ENODEV, func(i int) error { arg := *flips[i%2]; return ioctl(f, uapi.IoctlModeAtomic, &arg) })
	until("the cursor", unix.ENODEV, func(i int) error {
		return ioctl(f, uapi.IoctlModeSetPlane, f.planeArg(cursorID, cursor, int32(i%700)-60, 100, 64, 64))
	})
	wg.Go(func() {
		for range 20 {
			if _, err := f.screenshot(); err != nil {
				t.Errorf("a screenshot: %v", err)
			}
		}
	})
	for range 3 {
		s, err := f.openCRC()
		f.must(err)
		last := f.crc(s)
		for range 5 {
			c := f.crc(s)
			if c.Frame <= last.Frame {
				t.Errorf("frame %d after %d", c.Frame, last.Frame)
			}
			last = c
		}
		s.Close()
	}
	s, err := f.openCRC()
	f.must(err)
	until("CRCs", unix.ENODEV, func(int) error { _, err := s.Next(t.Context()); return err })
	f.must(f.parent.Remove(context.Background()))
	wg.Wait()
	s.Close()
	f.File.Close()
	f.objectsSettle(objects)
}
