package kms_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/fence"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
)

// wbProp returns the id of a property of the writeback connector.
func (f *fixture) wbProp(name string) uint32 {
	f.Helper()
	ids, _ := f.properties(writebackID, uapi.ModeObjectConnector)
	for _, id := range ids {
		p := uapi.ModeGetProperty{PropID: id}
		f.must(ioctl(f, uapi.IoctlModeGetProperty, &p))
		if cString(p.Name[:]) == name {
			return id
		}
	}
	f.Fatalf("the writeback connector has no property %s", name)
	panic("unreachable")
}

// showWriteback shows fb on both connectors.
func (f *fixture) showWriteback(fb uint32) {
	f.Helper()
	f.allCaps()
	scene := append(f.scene(fb, "1024x768"), change{writebackID, crtcPropID, crtcID})
	f.must(f.blocking(func() error { return f.atomic(uapi.ModeAtomicAllowModeset, 0, scene...) }))
}

// TestWriteback checks that a commit with a writeback has written the picture
// when it returns, in each format.
func TestWriteback(t *testing.T) {
	f := newFixture(t)
	shown := f.fb(1024, 768, uapi.FormatXRGB16161616)
	pixels, pitch := f.pixels(shown)
	for i := range 1024 * 768 {
		binary.LittleEndian.PutUint64(pixels[8*i:], uint64(i)*0x123456789abc)
	}
	f.showWriteback(shown)
	fbID := f.wbProp("WRITEBACK_FB_ID")
	objects := f.driver.ModeConfig().Objects()
	for _, format := range []uint32{
		uapi.FormatARGB8888, uapi.FormatXRGB8888, uapi.FormatXRGB16161616, uapi.FormatARGB16161616, uapi.FormatRGB565,
	} {
		target := f.fb(1024, 768, format)
		f.must(f.blocking(func() error { return f.atomic(0, 0, change{writebackID, fbID, uint64(target)}) }))
		got, gotPitch := f.pixels(target)
		for y := range 768 {
			for x := range 1024 {
				src := pixels[y*pitch+8*x:]
				component := func(i int) uint32 { return uint32(binary.LittleEndian.Uint16(src[2*i:])) }
				b, g, r := component(0), component(1), component(2)
				var want []byte
				switch narrow := func(v uint32) byte { return byte((v + 128) / 257) }; format {
				case uapi.FormatARGB8888, uapi.FormatXRGB8888:
					want = []byte{narrow(b), narrow(g), narrow(r), 0xff}
				case uapi.FormatRGB565:
					want = binary.LittleEndian.AppendUint16(nil, uint16(r*31/65535<<11|g*63/65535<<5|b*31/65535))
				default:
					want = append(append(want, src[:6]...), 0xff, 0xff)
				}
				if p := got[y*gotPitch+len(want)*x:][:len(want)]; !bytes.Equal(p, want) {
					t.Fatalf("%#x: pixel at %d,%d is % x, want % x", format, x, y, p, want)
				}
			}
		}
		f.must(ioctl(f, uapi.IoctlModeRmFB, &target))
	}
	if _, values := f.properties(writebackID, uapi.ModeObjectConnector); values[fbID] != 0 {
		t.Error("WRITEBACK_FB_ID keeps its value")
	}
	if n := f.driver.ModeConfig().Objects(); n != objects {
		t.Errorf("%d objects after the writebacks, want %d", n, objects)
	}
	// A writeback is part of one commit. The next commit writes nothing.
	target := f.fb(1024, 768, uapi.FormatXRGB8888)
	f.must(f.blocking(func() error { return f.atomic(uapi.ModeAtomicTestOnly, 0, change{writebackID, fbID, uint64(target)}) }))
	f.must(f.blocking(func() error { return f.atomic(0, 0, change{primaryID, fbPropID, uint64(shown)}) }))
	if got, _ := f.pixels(target); !bytes.Equal(got, make([]byte, len(got))) {
		t.Error("the next commit has written to the framebuffer")
	}
}

func TestWritebackErrors(t *testing.T) {
	f := newFixture(t)
	shown := f.fb(1024, 768, uapi.FormatXRGB8888)
	f.allCaps()
	fbID := f.wbProp("WRITEBACK_FB_ID")
	target := change{writebackID, fbID, uint64(f.fb(1024, 768, uapi.FormatXRGB8888))}
	refused := func(what string, flags uint32, changes ...change) {
		t.Helper()
		want(t, what, f.atomic(flags|uapi.ModeAtomicAllowModeset, 0, changes...), unix.EINVAL)
		want(t, what+", to test", f.atomic(flags|uapi.ModeAtomicTestOnly|uapi.ModeAtomicAllowModeset, 0, changes...), unix.EINVAL)
	}
	refused("without a CRTC", 0, target)
	scene := append(f.scene(shown, "1024x768"), change{writebackID, crtcPropID, crtcID}, target)
	scene[2].value = 0
	refused("while the CRTC stays off", 0, scene...)
	scene[2].value = 1
	scene[len(scene)-1].value = uint64(f.fb(1024, 767, uapi.FormatXRGB8888))
	refused("too small", 0, scene...)
	scene[len(scene)-1].value = uint64(f.fb(1025, 768, uapi.FormatXRGB8888))
	refused("too large", 0, scene...)
	scene[len(scene)-1].value = 9999
	refused("no framebuffer", 0, scene...)
	scene[len(scene)-1].value = crtcID
	refused("not a framebuffer", 0, scene...)
	scene[len(scene)-1].value = 0
	want(t, "none", f.atomic(uapi.ModeAtomicTestOnly|uapi.ModeAtomicAllowModeset, 0, scene...), 0)

	// A test makes no fence, so it may request one without a framebuffer.
	fence := change{writebackID, f.wbProp("WRITEBACK_OUT_FENCE_PTR"), f.outPtr()}
	want(t, "a fence of nothing, to test", f.atomic(uapi.ModeAtomicTestOnly|uapi.ModeAtomicAllowModeset, 0, append(scene, fence)...), 0)
	want(t, "a fence of nothing", f.atomic(uapi.ModeAtomicAllowModeset, 0, append(scene, fence)...), unix.EINVAL)

	// Together with the modeset.
	scene[len(scene)-1] = target
	f.must(f.blocking(func() error { return f.atomic(uapi.ModeAtomicAllowModeset, 0, scene...) }))
}

// TestWritebackUnplug checks that a pending writeback survives the removal of
// its framebuffer, the end of its client and an unplug.
func TestWritebackUnplug(t *testing.T) {
	f := newFixture(t)
	objects := f.driver.ModeConfig().Objects()
	shown := f.fb(1024, 768, uapi.FormatXRGB8888)
	f.showWriteback(shown)
	fbID := f.wbProp("WRITEBACK_FB_ID")
	pixels, _ := f.pixels(shown)
	for i := range pixels {
		pixels[i] = 0xff
	}
	target := f.fb(1024, 768, uapi.FormatXRGB8888)
	f.must(f.atomic(uapi.ModeAtomicNonblock, 0, change{writebackID, fbID, uint64(target)}))
	f.must(ioctl(f, uapi.IoctlModeRmFB, &target))
	f.must(f.parent.Remove(context.Background()))
	f.File.Close()
	f.objectsSettle(objects)
}

// objectsSettle waits until n objects remain. Pictures are composed in the
// background and hold references until then.
func (f *fixture) objectsSettle(objects int) {
	f.Helper()
	for deadline := time.Now().Add(20 * time.Second); f.driver.ModeConfig().Objects() != objects; runtime.Gosched() {
		if time.Now().After(deadline) {
			f.Fatalf("%d objects are left, want %d", f.driver.ModeConfig().Objects(), objects)
		}
	}
}

func TestWritebackFence(t *testing.T) {
	f := newFixture(t)
	shown := f.fb(1024, 768, uapi.FormatXRGB8888)
	f.showWriteback(shown)
	pixels, _ := f.pixels(shown)
	for i := range pixels {
		pixels[i] = 0xff
	}
	fbID, ptrID := f.wbProp("WRITEBACK_FB_ID"), f.wbProp("WRITEBACK_OUT_FENCE_PTR")
	fb := f.fb(1024, 768, uapi.FormatXRGB8888)
	target := change{writebackID, fbID, uint64(fb)}

	ptr := f.outPtr()
	f.must(f.atomic(uapi.ModeAtomicNonblock, 0, target, change{writebackID, ptrID, ptr}))
	fd := f.fenceAt(ptr)
	if info, one := f.fenceInfo(fd); info.Status != 0 || cString(one.ObjName[:]) != "CONNECTOR:46-Writeback-1" {
		t.Errorf("before the vblank: %+v, %+v", info, one)
	}
	f.step()
	file, err := fence.Lookup(f.Client, fd)
	f.must(err)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	f.must(file.Wait(ctx))
	if info, _ := f.fenceInfo(fd); info.Status != 1 {
		t.Errorf("after the vblank: %+v", info)
	}
	if got, _ := f.pixels(fb); !bytes.Equal(got[:4*1024*768], pixels[:4*1024*768]) {
		t.Error("the fence is signalled, but the picture is not written")
	}

	for name, c := range map[string]struct {
		changes []change
		errno   unix.Errno
	}{
		"a fence, and no framebuffer":      {[]change{{writebackID, fbID, 0}, {writebackID, ptrID, ptr}}, unix.EINVAL},
		"a pointer that cannot be written": {[]change{target, {writebackID, ptrID, badAddr}}, unix.EFAULT},
		"a fence of nothing":               {[]change{{writebackID, ptrID, ptr}}, 0},
	} {
		want(t, name, f.blocking(func() error { return f.atomic(0, 0, c.changes...) }), c.errno)
		if fd := f.fenceAt(ptr); fd != -1 && c.errno != unix.EFAULT {
			t.Errorf("%s: descriptor %d, want no fence", name, fd)
		}
	}

	// An unplug completes pending writebacks.
	f.must(f.atomic(uapi.ModeAtomicNonblock, 0, target, change{writebackID, ptrID, ptr}))
	file, err = fence.Lookup(f.Client, f.fenceAt(ptr))
	f.must(err)
	f.must(f.parent.Remove(context.Background()))
	if err := file.Wait(ctx); err != nil && !errors.Is(err, unix.ENODEV) {
		t.Errorf("the fence after the unplug: %v", err)
	}
}

// TestWritebackRoundTrip checks that a picture that was written back looks the
// same when it is shown, also in formats that the kernel does not have.
func TestWritebackRoundTrip(t *testing.T) {
	clock := new(kms.ManualClock)
	config := vkms.ConfigOf(drm.Linux612)
	config.Clock, config.Formats = clock, []uint32{uapi.FormatXRGB2101010, uapi.FormatXBGR8888}
	f := newFixtureOf(t, config)
	f.clock = clock
	for _, format := range []uint32{uapi.FormatXRGB2101010, uapi.FormatXBGR8888, uapi.FormatXRGB8888, uapi.FormatXRGB16161616} {
		shown, target := f.fb(1024, 768, format), f.fb(1024, 768, format)
		pixels, _ := f.pixels(shown)
		for i := range pixels {
			pixels[i] = byte(i*i>>8 ^ i)
		}
		f.showWriteback(shown)
		f.must(f.blocking(func() error { return f.atomic(0, 0, change{writebackID, f.wbProp("WRITEBACK_FB_ID"), uint64(target)}) }))
		before, err := f.screenshot()
		f.must(err)
		f.must(f.blocking(func() error { return f.atomic(0, 0, change{primaryID, fbPropID, uint64(target)}) }))
		after, err := f.screenshot()
		f.must(err)
		if !bytes.Equal(before.Pix, after.Pix) {
			t.Errorf("%#x: the written picture differs from the one shown", format)
		}
	}
}
