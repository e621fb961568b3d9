package fourcc

import "github.com/udrm/udrm/drm/uapi"

// packed returns a format of one plane with whole bytes per pixel.
func packed(code, depth, bytes uint32, alpha bool) Format {
	return Format{Code: code, Depth: depth, Planes: 1, BlockBytes: [4]uint32{bytes}, HSub: 1, VSub: 1, Alpha: alpha}
}

// packedYUV returns a YUV format of one plane, which is subsampled within.
func packedYUV(code, bytes, hsub uint32, alpha bool) Format {
	return Format{Code: code, Planes: 1, BlockBytes: [4]uint32{bytes}, HSub: hsub, VSub: 1, Alpha: alpha, YUV: true}
}

// planar returns a YUV format of several planes with whole bytes per sample.
func planar(code, hsub, vsub uint32, bytes ...uint32) Format {
	f := Format{Code: code, Planes: len(bytes), HSub: hsub, VSub: vsub, YUV: true}
	copy(f.BlockBytes[:], bytes)
	return f
}

// blocks returns a YUV format whose samples are packed in blocks.
func blocks(code, hsub, vsub uint32, alpha bool, bytes, widths, heights [4]uint32) Format {
	f := Format{Code: code, HSub: hsub, VSub: vsub, Alpha: alpha, YUV: true, BlockBytes: bytes, BlockWidth: widths, BlockHeight: heights}
	for _, w := range widths {
		if w != 0 {
			f.Planes++
		}
	}
	return f
}

// bits returns a format of one plane with several pixels in a byte.
func bits(code, depth, pixels uint32) Format {
	f := packed(code, depth, 1, false)
	f.BlockWidth, f.BlockHeight = [4]uint32{pixels}, [4]uint32{1}
	return f
}

// indexed returns the format f with a palette.
func indexed(f Format) Format {
	f.Indexed = true
	return f
}

// withAlphaPlane returns an RGB format with a second plane for alpha.
func withAlphaPlane(code, depth, bytes uint32) Format {
	return Format{Code: code, Depth: depth, Planes: 2, BlockBytes: [4]uint32{bytes, 1}, HSub: 1, VSub: 1, Alpha: true}
}

// formats holds the generic formats of drm_fourcc.h by code.
var formats = func() map[uint32]*Format {
	all := []Format{
		indexed(bits(uapi.FormatC1, 1, 8)),
		indexed(bits(uapi.FormatC2, 2, 4)),
		indexed(bits(uapi.FormatC4, 4, 2)),
		indexed(packed(uapi.FormatC8, 8, 1, false)),
		bits(uapi.FormatD1, 1, 8),
		bits(uapi.FormatD2, 2, 4),
		bits(uapi.FormatD4, 4, 2),
		packed(uapi.FormatD8, 8, 1, false),
		bits(uapi.FormatR1, 1, 8),
		bits(uapi.FormatR2, 2, 4),
		bits(uapi.FormatR4, 4, 2),
		packed(uapi.FormatR8, 8, 1, false),
		packed(uapi.FormatR10, 10, 2, false),
		packed(uapi.FormatR12, 12, 2, false),
		packed(uapi.FormatR16, 16, 2, false),
		packed(uapi.FormatRG88, 16, 2, false),
		packed(uapi.FormatGR88, 16, 2, false),
		packed(uapi.FormatRG1616, 32, 4, false),
		packed(uapi.FormatGR1616, 32, 4, false),
		packed(uapi.FormatRGB332, 8, 1, false),
		packed(uapi.FormatBGR233, 8, 1, false),
		packed(uapi.FormatXRGB4444, 0, 2, false),
		packed(uapi.FormatXBGR4444, 0, 2, false),
		packed(uapi.FormatRGBX4444, 0, 2, false),
		packed(uapi.FormatBGRX4444, 0, 2, false),
		packed(uapi.FormatARGB4444, 0, 2, true),
		packed(uapi.FormatABGR4444, 0, 2, true),
		packed(uapi.FormatRGBA4444, 0, 2, true),
		packed(uapi.FormatBGRA4444, 0, 2, true),
		packed(uapi.FormatXRGB1555, 15, 2, false),
		packed(uapi.FormatXBGR1555, 15, 2, false),
		packed(uapi.FormatRGBX5551, 15, 2, false),
		packed(uapi.FormatBGRX5551, 15, 2, false),
		packed(uapi.FormatARGB1555, 15, 2, true),
		packed(uapi.FormatABGR1555, 15, 2, true),
		packed(uapi.FormatRGBA5551, 15, 2, true),
		packed(uapi.FormatBGRA5551, 15, 2, true),
		packed(uapi.FormatRGB565, 16, 2, false),
		packed(uapi.FormatBGR565, 16, 2, false),
		packed(uapi.FormatRGB888, 24, 3, false),
		packed(uapi.FormatBGR888, 24, 3, false),
		packed(uapi.FormatXRGB8888, 24, 4, false),
		packed(uapi.FormatXBGR8888, 24, 4, false),
		packed(uapi.FormatRGBX8888, 24, 4, false),
		packed(uapi.FormatBGRX8888, 24, 4, false),
		packed(uapi.FormatARGB8888, 32, 4, true),
		packed(uapi.FormatABGR8888, 32, 4, true),
		packed(uapi.FormatRGBA8888, 32, 4, true),
		packed(uapi.FormatBGRA8888, 32, 4, true),
		packed(uapi.FormatXRGB2101010, 30, 4, false),
		packed(uapi.FormatXBGR2101010, 30, 4, false),
		packed(uapi.FormatRGBX1010102, 30, 4, false),
		packed(uapi.FormatBGRX1010102, 30, 4, false),
		packed(uapi.FormatARGB2101010, 30, 4, true),
		packed(uapi.FormatABGR2101010, 30, 4, true),
		packed(uapi.FormatRGBA1010102, 30, 4, true),
		packed(uapi.FormatBGRA1010102, 30, 4, true),
		packed(uapi.FormatRGB161616, 0, 6, false),
		packed(uapi.FormatBGR161616, 0, 6, false),
		packed(uapi.FormatXRGB16161616, 0, 8, false),
		packed(uapi.FormatXBGR16161616, 0, 8, false),
		packed(uapi.FormatARGB16161616, 0, 8, true),
		packed(uapi.FormatABGR16161616, 0, 8, true),
		packed(uapi.FormatXRGB16161616F, 0, 8, false),
		packed(uapi.FormatXBGR16161616F, 0, 8, false),
		packed(uapi.FormatARGB16161616F, 0, 8, true),
		packed(uapi.FormatABGR16161616F, 0, 8, true),
		packed(uapi.FormatAXBXGXRX106106106106, 0, 8, true),
		withAlphaPlane(uapi.FormatXRGB8888_A8, 32, 4),
		withAlphaPlane(uapi.FormatXBGR8888_A8, 32, 4),
		withAlphaPlane(uapi.FormatRGBX8888_A8, 32, 4),
		withAlphaPlane(uapi.FormatBGRX8888_A8, 32, 4),
		withAlphaPlane(uapi.FormatRGB888_A8, 32, 3),
		withAlphaPlane(uapi.FormatBGR888_A8, 32, 3),
		withAlphaPlane(uapi.FormatRGB565_A8, 24, 2),
		withAlphaPlane(uapi.FormatBGR565_A8, 24, 2),
		packedYUV(uapi.FormatYUYV, 2, 2, false),
		packedYUV(uapi.FormatYVYU, 2, 2, false),
		packedYUV(uapi.FormatUYVY, 2, 2, false),
		packedYUV(uapi.FormatVYUY, 2, 2, false),
		packedYUV(uapi.FormatAYUV, 4, 1, true),
		packedYUV(uapi.FormatXYUV8888, 4, 1, false),
		packedYUV(uapi.FormatVUY888, 3, 1, false),
		packedYUV(uapi.FormatXVUY2101010, 4, 1, false),
		packedYUV(uapi.FormatY210, 4, 2, false),
		packedYUV(uapi.FormatY212, 4, 2, false),
		packedYUV(uapi.FormatY216, 4, 2, false),
		packedYUV(uapi.FormatY410, 4, 1, true),
		packedYUV(uapi.FormatY412, 8, 1, true),
		packedYUV(uapi.FormatY416, 8, 1, true),
		packedYUV(uapi.FormatXVYU2101010, 4, 1, false),
		packedYUV(uapi.FormatXVYU12_16161616, 8, 1, false),
		packedYUV(uapi.FormatXVYU16161616, 8, 1, false),
		{Code: uapi.FormatY8, Depth: 8, Planes: 1, BlockBytes: [4]uint32{1}, HSub: 1, VSub: 1, YUV: true},
		planar(uapi.FormatYUV410, 4, 4, 1, 1, 1),
		planar(uapi.FormatYVU410, 4, 4, 1, 1, 1),
		planar(uapi.FormatYUV411, 4, 1, 1, 1, 1),
		planar(uapi.FormatYVU411, 4, 1, 1, 1, 1),
		planar(uapi.FormatYUV420, 2, 2, 1, 1, 1),
		planar(uapi.FormatYVU420, 2, 2, 1, 1, 1),
		planar(uapi.FormatYUV422, 2, 1, 1, 1, 1),
		planar(uapi.FormatYVU422, 2, 1, 1, 1, 1),
		planar(uapi.FormatYUV444, 1, 1, 1, 1, 1),
		planar(uapi.FormatYVU444, 1, 1, 1, 1, 1),
		planar(uapi.FormatNV12, 2, 2, 1, 2),
		planar(uapi.FormatNV21, 2, 2, 1, 2),
		planar(uapi.FormatNV16, 2, 1, 1, 2),
		planar(uapi.FormatNV61, 2, 1, 1, 2),
		planar(uapi.FormatNV24, 1, 1, 1, 2),
		planar(uapi.FormatNV42, 1, 1, 1, 2),
		planar(uapi.FormatP210, 2, 1, 2, 4),
		planar(uapi.FormatP010, 2, 2, 2, 4),
		planar(uapi.FormatP012, 2, 2, 2, 4),
		planar(uapi.FormatP016, 2, 2, 2, 4),
		planar(uapi.FormatQ410, 1, 1, 2, 2, 2),
		planar(uapi.FormatQ401, 1, 1, 2, 2, 2),
		planar(uapi.FormatS010, 2, 2, 2, 2, 2),
		planar(uapi.FormatS210, 2, 1, 2, 2, 2),
		planar(uapi.FormatS410, 1, 1, 2, 2, 2),
		planar(uapi.FormatS012, 2, 2, 2, 2, 2),
		planar(uapi.FormatS212, 2, 1, 2, 2, 2),
		planar(uapi.FormatS412, 1, 1, 2, 2, 2),
		planar(uapi.FormatS016, 2, 2, 2, 2, 2),
		planar(uapi.FormatS216, 2, 1, 2, 2, 2),
		planar(uapi.FormatS416, 1, 1, 2, 2, 2),
		blocks(uapi.FormatP030, 2, 2, false, [4]uint32{4, 8}, [4]uint32{3, 3}, [4]uint32{1, 1}),
		blocks(uapi.FormatP230, 2, 1, false, [4]uint32{4, 8}, [4]uint32{3, 3}, [4]uint32{1, 1}),
		blocks(uapi.FormatNV15, 2, 2, false, [4]uint32{5, 5}, [4]uint32{4, 2}, [4]uint32{1, 1}),
		blocks(uapi.FormatNV20, 2, 1, false, [4]uint32{5, 5}, [4]uint32{4, 2}, [4]uint32{1, 1}),
		blocks(uapi.FormatNV30, 1, 1, false, [4]uint32{5, 5}, [4]uint32{4, 2}, [4]uint32{1, 1}),
		blocks(uapi.FormatT430, 1, 1, false, [4]uint32{4, 4, 4}, [4]uint32{3, 3, 3}, [4]uint32{1, 1, 1}),
		blocks(uapi.FormatXYYY2101010, 1, 1, false, [4]uint32{4}, [4]uint32{3}, [4]uint32{1}),
		blocks(uapi.FormatY0L0, 2, 2, true, [4]uint32{8}, [4]uint32{2}, [4]uint32{2}),
		blocks(uapi.FormatX0L0, 2, 2, false, [4]uint32{8}, [4]uint32{2}, [4]uint32{2}),
		blocks(uapi.FormatY0L2, 2, 2, true, [4]uint32{8}, [4]uint32{2}, [4]uint32{2}),
		blocks(uapi.FormatX0L2, 2, 2, false, [4]uint32{8}, [4]uint32{2}, [4]uint32{2}),
		// These have no linear layout, so their blocks have no size.
		blocks(uapi.FormatVUY101010, 1, 1, false, [4]uint32{}, [4]uint32{1}, [4]uint32{1}),
		blocks(uapi.FormatYUV420_8BIT, 2, 2, false, [4]uint32{}, [4]uint32{1}, [4]uint32{1}),
		blocks(uapi.FormatYUV420_10BIT, 2, 2, false, [4]uint32{}, [4]uint32{1}, [4]uint32{1}),
	}
	table := make(map[uint32]*Format, len(all))
	for i := range all {
		table[all[i].Code] = &all[i]
	}
	return table
}()
