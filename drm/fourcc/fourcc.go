// Package fourcc describes the pixel formats of drm_fourcc.h: how many planes a
// format has and how many bytes its pixels take. It holds the facts of the
// kernel's drm_fourcc.c. The codes themselves are constants of package uapi,
// such as [uapi.FormatXRGB8888].
//
// Package kms checks framebuffers with it, and drivers list their formats.
//
// Start reading at [Lookup].
package fourcc

import "github.com/udrm/udrm/drm/uapi"

// A Format describes the memory layout of a pixel format: struct
// drm_format_info.
type Format struct {
	Code   uint32
	Depth  uint32 // bits of colour; 0 if legacy requests cannot name the format
	Planes int

	// BlockBytes is the size of a block in each plane. A block is BlockWidth
	// by BlockHeight pixels; 0 stands for 1.
	BlockBytes              [4]uint32
	BlockWidth, BlockHeight [4]uint32

	HSub, VSub uint32 // subsampling of all planes but the first
	Alpha      bool   // pixels have an alpha component
	YUV        bool
	Indexed    bool // pixels are numbers of entries of a palette
}

// Lookup returns the format with the given code, or nil if it is unknown.
func Lookup(code uint32) *Format { return formats[code] }

// Parse returns the format whose code is spelled name, such as "XR30" or
// "NV12", or nil if there is no such format. A code of fewer than four
// characters is padded with spaces, as in drm_fourcc.h: "C8" is "C8  ".
func Parse(name string) *Format {
	if len(name) > 4 {
		return nil
	}
	var code uint32
	for i := range 4 {
		c := byte(' ')
		if i < len(name) {
			c = name[i]
		}
		code |= uint32(c) << (8 * i)
	}
	return formats[code]
}

// String spells a format code for messages, as %p4cc does in the kernel.
// Unprintable characters become question marks.
func String(code uint32) string {
	b := [4]byte{byte(code), byte(code >> 8), byte(code >> 16), byte(code >> 24)}
	for i, c := range b {
		if c < ' ' || c > '~' {
			b[i] = '?'
		}
	}
	return string(b[:])
}

// String returns the format's code as four characters.
func (f *Format) String() string { return String(f.Code) }

// PlaneSize returns the size in samples of a plane of a w by h framebuffer.
func (f *Format) PlaneSize(plane int, w, h uint32) (uint32, uint32) {
	if plane == 0 {
		return w, h
	}
	return (w + f.HSub - 1) / f.HSub, (h + f.VSub - 1) / f.VSub
}

// MinPitch returns the number of bytes that a line of w samples takes in the
// plane.
func (f *Format) MinPitch(plane int, w uint32) uint64 {
	pixels := uint64(max(f.BlockWidth[plane], 1) * max(f.BlockHeight[plane], 1))
	return (uint64(w)*uint64(f.BlockBytes[plane]) + pixels - 1) / pixels
}

// BitsPerPixel returns the size of a pixel in the first plane.
func (f *Format) BitsPerPixel() uint32 {
	return f.BlockBytes[0] * 8 / (max(f.BlockWidth[0], 1) * max(f.BlockHeight[0], 1))
}

// Legacy returns the code of the format that a legacy ADDFB names by bits per
// pixel and depth (drm_mode_legacy_fb_format). It reports false if there is
// none.
func Legacy(bpp, depth uint32) (code uint32, ok bool) {
	switch [2]uint32{bpp, depth} {
	case [2]uint32{8, 8}:
		return uapi.FormatC8, true
	case [2]uint32{16, 15}:
		return uapi.FormatXRGB1555, true
	case [2]uint32{16, 16}:
		return uapi.FormatRGB565, true
	case [2]uint32{24, 24}:
		return uapi.FormatRGB888, true
	case [2]uint32{32, 24}:
		return uapi.FormatXRGB8888, true
	case [2]uint32{32, 30}:
		return uapi.FormatXRGB2101010, true
	case [2]uint32{32, 32}:
		return uapi.FormatARGB8888, true
	}
	return 0, false
}
