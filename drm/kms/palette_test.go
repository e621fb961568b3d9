package kms_test

import (
	"encoding/binary"
	"image/color"
	"math/rand/v2"
	"testing"

	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
)

// TestPalette shows pixels of C8 with a gamma table. Screenshots, CRCs and writebacks
// have the colours of its entries.
func TestPalette(t *testing.T) {
	config := vkms.ConfigOf(drm.Linux612)
	clock := new(kms.ManualClock)
	config.Clock, config.Formats = clock, []uint32{uapi.FormatC8}
	f := newFixtureOf(t, config)
	f.clock = clock
	fb := f.fb(1024, 768, uapi.FormatC8)
	pixels, pitch := f.pixels(fb)
	index := func(x, y int) byte { return byte(x + 7*y) }
	for y := range 768 {
		for x := range 1024 {
			pixels[y*pitch+x] = index(x, y)
		}
	}
	f.showWriteback(fb)
	r := rand.New(rand.NewPCG(3, 4))
	var palette [3][]uint16
	for i := range palette {
		for range 256 {
			palette[i] = append(palette[i], uint16(r.Uint32()))
		}
	}
	f.must(f.blocking(func() error {
		return ioctl(f, uapi.IoctlModeSetGamma, &uapi.ModeCRTCLUT{
			CRTCID: f.crtc(), GammaSize: 256,
			Red: drmtest.PutSlice(f.Arena, palette[0]), Green: drmtest.PutSlice(f.Arena, palette[1]), Blue: drmtest.PutSlice(f.Arena, palette[2]),
		})
	}))

	narrow := func(v uint16) byte { return byte((uint32(v) + 128) / 257) }
	want := func(x, y int) color.NRGBA {
		i := index(x, y)
		return color.NRGBA{narrow(palette[0][i]), narrow(palette[1][i]), narrow(palette[2][i]), 0xff}
	}
	target := f.fb(1024, 768, uapi.FormatXRGB8888)
	f.must(f.blocking(func() error {
		return f.atomic(0, 0, change{writebackID, f.wbProp("WRITEBACK_FB_ID"), uint64(target)})
	}))
	written, writtenPitch := f.pixels(target)
	picture, err := f.screenshot()
	f.must(err)
	var deep []byte
	for y := range 768 {
		for x := range 1024 {
			if got := picture.NRGBAAt(x, y); got != want(x, y) {
				t.Fatalf("screenshot at %d,%d: %v, want %v", x, y, got, want(x, y))
			}
			p := written[y*writtenPitch+4*x:]
			if got := (color.NRGBA{p[2], p[1], p[0], p[3]}); got != want(x, y) {
				t.Fatalf("writeback at %d,%d: %v, want %v", x, y, got, want(x, y))
			}
			i := index(x, y)
			for _, v := range []uint16{0xffff, palette[0][i], palette[1][i], palette[2][i]} {
				deep = binary.LittleEndian.AppendUint16(deep, v)
			}
		}
	}
	s, err := f.openCRC()
	f.must(err)
	defer s.Close()
	f.step()
	if got, want := f.crc(s).Value, slowCRC(deep); got != want {
		t.Errorf("CRC %#x, want %#x", got, want)
	}
}
