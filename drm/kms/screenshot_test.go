package kms_test

import (
	"image/color"
	"testing"

	"github.com/udrm/udrm/drm/uapi"
)

// pixels returns the memory of a framebuffer with one plane.
func (f *fixture) pixels(fb uint32) (pixels []byte, pitch int) {
	f.Helper()
	arg := uapi.ModeFBCmd2{FBID: fb}
	f.must(ioctl(f, uapi.IoctlModeGetFB2, &arg))
	o, err := f.driver.Buffers().Lookup(f.File, arg.Handles[0])
	f.must(err)
	defer o.Put() // the framebuffer holds another reference
	pixels, err = o.Pixels()
	f.must(err)
	return pixels, int(arg.Pitches[0])
}

func TestScreenshot(t *testing.T) {
	f := newFixture(t)
	fb := f.enable()
	pixels, pitch := f.pixels(fb)
	for y := range 768 {
		for x := range 1024 {
			copy(pixels[y*pitch+4*x:], []byte{byte(x), byte(y), byte(x >> 8), 0})
		}
	}
	check := func(x, y int, r, g, b uint8) {
		t.Helper()
		picture, err := f.screenshot()
		f.must(err)
		if got, want := picture.NRGBAAt(x, y), (color.NRGBA{r, g, b, 0xff}); got != want {
			t.Errorf("pixel at %d,%d is %v, want %v", x, y, got, want)
		}
	}
	under := func(x, y int) (r, g, b uint8) { return uint8(x >> 8), uint8(y), uint8(x) }
	checkUnder := func(x, y, fromX, fromY int) {
		t.Helper()
		r, g, b := under(fromX, fromY)
		check(x, y, r, g, b)
	}
	checkUnder(0, 0, 0, 0)
	checkUnder(1023, 767, 1023, 767)
	checkUnder(300, 200, 300, 200)

	// A half-transparent white cursor, partly beyond the edge.
	cursor := f.fb(64, 64, uapi.FormatARGB8888)
	white, _ := f.pixels(cursor)
	for i := range 64 * 64 {
		copy(white[4*i:], []byte{0x80, 0x80, 0x80, 0x80})
	}
	f.must(ioctl(f, uapi.IoctlModeSetPlane, f.planeArg(cursorID, cursor, -32, 100, 64, 64)))
	over := func(v uint8) uint8 { return uint8(0x80 + (int(v)*0x7f+127)/255) }
	r, g, b := under(31, 120)
	check(31, 120, over(r), over(g), over(b))
	checkUnder(32, 120, 32, 120)
	checkUnder(31, 99, 31, 99)

	// Positions, panning and rotation.
	large := f.fb(2048, 768, uapi.FormatRGB565)
	rgb, pitch := f.pixels(large)
	rgb[10*pitch+2*1030], rgb[10*pitch+2*1030+1] = 0x00, 0xf8 // red
	f.must(f.blocking(func() error {
		arg := f.planeArg(primaryID, large, 100, 50, 512, 384)
		arg.SrcX = 1024 << 16
		return ioctl(f, uapi.IoctlModeSetPlane, arg)
	}))
	check(106, 60, 0xff, 0, 0)
	check(105, 60, 0, 0, 0)
	check(50, 60, 0, 0, 0) // the background is black
	for rotation, at := range map[uint64][2]int{
		1 << 2:      {100 + 511 - 6, 50 + 383 - 10}, // by 180
		1 | 1<<4:    {100 + 511 - 6, 60},            // reflected in x
		1 | 1<<5:    {106, 50 + 383 - 10},           // reflected in y
		1<<2 | 3<<4: {106, 60},                      // all three
		1 << 0:      {106, 60},
		1<<2 | 1<<4: {106, 50 + 383 - 10},
	} {
		f.must(f.blocking(func() error {
			return ioctl(f, uapi.IoctlModeObjSetProperty, &uapi.ModeObjSetProperty{ObjID: primaryID, PropID: rotationID, Value: rotation})
		}))
		check(at[0], at[1], 0xff, 0, 0)
	}
	// Rotated by 90 degrees counter-clockwise, the top of the buffer is at the
	// left.
	square := f.fb(100, 100, uapi.FormatXRGB16161616)
	deep, pitch := f.pixels(square)
	copy(deep[5*pitch+8*20:], []byte{0xff, 0x11, 0xff, 0x22, 0xff, 0x33})
	f.must(f.blocking(func() error { return ioctl(f, uapi.IoctlModeSetPlane, f.planeArg(primaryID, square, 0, 0, 100, 100)) }))
	for rotation, at := range map[uint64][2]int{1 << 1: {5, 79}, 1 << 3: {94, 20}} {
		f.must(f.blocking(func() error {
			return ioctl(f, uapi.IoctlModeObjSetProperty, &uapi.ModeObjSetProperty{ObjID: primaryID, PropID: rotationID, Value: rotation})
		}))
		check(at[0], at[1], 0x34, 0x23, 0x12) // 16 bits are rounded
	}
}
