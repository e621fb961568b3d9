package main

import "math"

// Layouts of pixels, as drm_fourcc.h numbers them.
const (
	linear          = 0
	intelXTiled     = 1<<56 | 1
	intelYTiled     = 1<<56 | 2
	intelYfTiled    = 1<<56 | 3
	intelYTiledCCS  = 1<<56 | 4
	intelYfTiledCCS = 1<<56 | 5
	vc4TTiled       = 7<<56 | 1
	qcomCompressed  = 5<<56 | 1
	nvidiaBlock     = 3<<56 | 0x606010
)

// Connector and encoder types.
const (
	connectorVGA, connectorDVID, connectorDP, connectorHDMIA, connectorEDP = 1, 3, 10, 11, 14
	connectorVirtual, connectorDSI                                         = 15, 16

	encoderNone, encoderDAC, encoderTMDS, encoderVirtual, encoderDSI = 0, 1, 2, 5, 6
)

// Buses, as libdrm numbers them.
const (
	busPCI      = 0
	busUSB      = 1
	busPlatform = 2
)

func pci(vendor, device, subVendor, subDevice int) map[string]any {
	return map[string]any{"vendor": vendor, "device": device, "subsystem_vendor": subVendor, "subsystem_device": subDevice}
}

func platform(compatible ...string) map[string]any { return map[string]any{"compatible": compatible} }

const rgb32 = "XR24 AR24"

// Common properties.
var (
	allRotations = bitmaskProp("rotation", 1, "rotate-0", "rotate-90", "rotate-180", "rotate-270", "reflect-x", "reflect-y")
	blending     = prop{name: "pixel blend mode", flags: flagEnum, spec: []map[string]any{
		{"name": "None", "value": 2}, {"name": "Pre-multiplied", "value": 0}, {"name": "Coverage", "value": 1}}}
	alpha       = rangeProp("alpha", math.MaxUint16, 0, math.MaxUint16)
	encoding    = enumProp("COLOR_ENCODING", 1, "ITU-R BT.601 YCbCr", "ITU-R BT.709 YCbCr", "ITU-R BT.2020 YCbCr")
	colorRange  = enumProp("COLOR_RANGE", 0, "YCbCr limited range", "YCbCr full range")
	scaling     = enumProp("SCALING_FILTER", 0, "Default", "Nearest Neighbor")
	damage      = blobProp("FB_DAMAGE_CLIPS").atomic()
	ctm         = blobProp("CTM")
	degamma     = blobProp("DEGAMMA_LUT")
	hdr         = blobProp("HDR_OUTPUT_METADATA")
	broadcast   = enumProp("Broadcast RGB", 0, "Automatic", "Full", "Limited 16:235")
	contentType = enumProp("content type", 0, "No Data", "Graphics", "Photo", "Cinema", "Game")
	protection  = enumProp("Content Protection", 0, "Undesired", "Desired", "Enabled")
	orientation = enumProp("panel orientation", 0, "Normal", "Upside Down", "Left Side Up", "Right Side Up").immutable()
	colorspace  = enumProp("Colorspace", 0, "Default", "SMPTE_170M_YCC", "BT709_YCC", "XVYCC_601", "XVYCC_709", "SYCC_601",
		"opYCC_601", "opRGB", "BT2020_CYCC", "BT2020_RGB", "BT2020_YCC", "DCI-P3_RGB_D65", "DCI-P3_RGB_Theater")
	scalingMode = enumProp("scaling mode", 1, "None", "Full", "Center", "Full aspect")
	subconnect  = enumProp("subconnector", 0, "Unknown", "VGA", "", "DVI-D", "", "", "", "", "", "", "DP", "HDMI").immutable()
	vrrCapable  = boolProp("vrr_capable", 0).immutable()
)

func degammaSize(n uint64) prop {
	return rangeProp("DEGAMMA_LUT_SIZE", n, 0, math.MaxUint32).immutable()
}

func fixedZpos(n uint64) prop { return rangeProp("zpos", n, n, n).immutable() }

func zpos(value, low, high uint64) prop { return rangeProp("zpos", value, low, high) }

func maxBPC(n uint64) prop { return rangeProp("max bpc", n, 8, n) }

// cards are the cards by the names of their files.
var cards = map[string]*card{
	// i915 on a display of generation 9.5: three pipes with three universal planes
	// and a cursor each.
	"i915": {
		driver: "i915", desc: "Intel Graphics", date: "20230929", major: 1, minor: 6, bus: busPCI, device: pci(0x8086, 0x3e92, 0x1028, 0x0869), render: true,
		caps: map[string]int{
			"DUMB_PREFERRED_DEPTH": 24, "DUMB_PREFER_SHADOW": 1, "ASYNC_PAGE_FLIP": 1, "CURSOR_WIDTH": 256, "CURSOR_HEIGHT": 256,
			"SYNCOBJ": 1, "SYNCOBJ_TIMELINE": 1,
		},
		maxSize: [2]int{16384, 16384},
		planes:  i915Planes(3), crtcs: repeat(3, crtc{gamma: 256, lut: 1024, props: []prop{degamma, degammaSize(33), ctm, scaling}}),
		encoders: []encoder{{encoderTMDS, 7, 0}, {encoderTMDS, 7, 0}},
		connectors: []connector{
			{kind: connectorEDP, connected: true, mm: [2]int{310, 170}, encoders: []int{0}, modes: []map[string]any{timing(1920, 1080, 60, typePreferred|typeDriver)},
				props: []prop{enumProp("audio", 2, "off", "auto", "on"), broadcast, maxBPC(12), scalingMode, orientation, colorspace, hdr, vrrCapable}},
			{kind: connectorHDMIA, encoders: []int{1}, props: []prop{broadcast, contentType, maxBPC(12), colorspace, hdr, protection}},
		},
	},
	// amdgpu with the display core: one primary plane for each CRTC, overlays and
	// cursors.
	"amdgpu": {
		driver: "amdgpu", desc: "AMD GPU", date: "20150101", major: 3, minor: 57, bus: busPCI, device: pci(0x1002, 0x73df, 0x1da2, 0x445e), render: true,
		caps:    map[string]int{"DUMB_PREFERRED_DEPTH": 24, "ASYNC_PAGE_FLIP": 1, "CURSOR_WIDTH": 256, "CURSOR_HEIGHT": 256, "SYNCOBJ": 1, "SYNCOBJ_TIMELINE": 1},
		maxSize: [2]int{16384, 16384},
		planes:  amdgpuPlanes(4), crtcs: repeat(4, crtc{gamma: 256, lut: 4096, props: []prop{degamma, degammaSize(4096), ctm}}),
		encoders: []encoder{{encoderTMDS, 15, 0}, {encoderTMDS, 15, 0}, {encoderTMDS, 15, 0}},
		connectors: []connector{
			{kind: connectorDP, connected: true, mm: [2]int{600, 340}, encoders: []int{0}, modes: monitorModes(2560, 1440), props: amdgpuConnector(vrrCapable)},
			{kind: connectorDP, encoders: []int{1}, props: amdgpuConnector(vrrCapable)},
			{kind: connectorHDMIA, encoders: []int{2}, props: amdgpuConnector(vrrCapable)},
		},
	},
	// nvidia-drm of the open kernel modules.
	"nvidia": {
		driver: "nvidia-drm", desc: "NVIDIA DRM driver", date: "20160202", bus: busPCI, device: pci(0x10de, 0x2684, 0x1043, 0x889c), render: true,
		caps: map[string]int{
			"DUMB_PREFERRED_DEPTH": 24, "DUMB_PREFER_SHADOW": 1, "ASYNC_PAGE_FLIP": 1, "CURSOR_WIDTH": 256, "CURSOR_HEIGHT": 256, "SYNCOBJ": 1, "SYNCOBJ_TIMELINE": 1,
		},
		minSize: [2]int{8, 8}, maxSize: [2]int{32768, 32768},
		planes: nvidiaPlanes(4), crtcs: repeat(4, crtc{lut: 1024, props: []prop{ctm, degamma, degammaSize(1024)}}),
		encoders: []encoder{{encoderTMDS, 15, 0}, {encoderTMDS, 15, 0}},
		connectors: []connector{
			{kind: connectorHDMIA, connected: true, mm: [2]int{700, 390}, encoders: []int{0}, modes: monitorModes(3840, 2160), props: []prop{hdr, colorspace, vrrCapable}},
			{kind: connectorDP, encoders: []int{1}, props: []prop{hdr, colorspace, vrrCapable}},
		},
	},
	"virtio-gpu": {
		driver: "virtio_gpu", desc: "virtio GPU", date: "0", minor: 1, bus: busPCI, device: pci(0x1af4, 0x1050, 0x1af4, 0x1100), render: true,
		caps: map[string]int{"DUMB_PREFERRED_DEPTH": 24, "SYNCOBJ": 1, "SYNCOBJ_TIMELINE": 1}, minSize: [2]int{32, 32}, maxSize: [2]int{8192, 8192},
		planes: []plane{
			{kind: 1, crtcs: 1, formats: "XR24", props: []prop{damage}, modifiers: []uint64{linear}},
			{kind: 2, crtcs: 1, formats: "AR24", modifiers: []uint64{linear}},
		},
		crtcs: []crtc{{}}, encoders: []encoder{{encoderVirtual, 1, 0}},
		connectors: []connector{{kind: connectorVirtual, connected: true, encoders: []int{0}, modes: monitorModes(1280, 800), noEDID: true, props: []prop{
			rangeProp("suggested X", 0, 0, math.MaxUint32).immutable(), rangeProp("suggested Y", 0, 0, math.MaxUint32).immutable()}}},
	},
	"qxl": {
		driver: "qxl", desc: "RH QXL", date: "20120117", minor: 1, bus: busPCI, device: pci(0x1b36, 0x0100, 0x1af4, 0x1100),
		caps: map[string]int{"DUMB_PREFERRED_DEPTH": 24, "DUMB_PREFER_SHADOW": 1, "ADDFB2_MODIFIERS": 0}, maxSize: [2]int{8192, 8192},
		planes: []plane{{kind: 1, crtcs: 1, formats: rgb32, props: []prop{damage}}, {kind: 2, crtcs: 1, formats: "AR24"}},
		crtcs:  []crtc{{}}, encoders: []encoder{{encoderVirtual, 1, 0}},
		connectors: []connector{{kind: connectorVirtual, connected: true, encoders: []int{0}, modes: monitorModes(1024, 768), noEDID: true,
			props: []prop{boolProp("hotplug_mode_update", 1).immutable(), rangeProp("suggested X", 0, 0, math.MaxUint32).immutable(),
				rangeProp("suggested Y", 0, 0, math.MaxUint32).immutable()}}},
	},
	"bochs": {
		driver: "bochs-drm", desc: "bochs dispi vga interface (qemu stdvga)", date: "20130925", major: 1, bus: busPCI, device: pci(0x1234, 0x1111, 0x1af4, 0x1100),
		caps: map[string]int{"DUMB_PREFERRED_DEPTH": 24, "DUMB_PREFER_SHADOW": 1}, maxSize: [2]int{8192, 8192},
		planes: []plane{{kind: 1, crtcs: 1, formats: "XR24", modifiers: []uint64{linear}, props: []prop{damage}}},
		crtcs:  []crtc{{}}, encoders: []encoder{{encoderNone, 1, 0}},
		connectors: []connector{{kind: connectorVirtual, connected: true, encoders: []int{0}, modes: monitorModes(1280, 800), noEDID: true}},
	},
	// vc4 of a Raspberry Pi 4: planes for three CRTCs, and 48 overlays on the real
	// one, of which it has eight here.
	"vc4": {
		driver: "vc4", desc: "Broadcom VC4 graphics", date: "20140616", bus: busPlatform, device: platform("brcm,bcm2711-vc5"),
		caps: map[string]int{"DUMB_PREFERRED_DEPTH": 24, "DUMB_PREFER_SHADOW": 0, "ASYNC_PAGE_FLIP": 1}, maxSize: [2]int{7680, 7680},
		planes: vc4Planes(2), crtcs: repeat(2, crtc{gamma: 256, lut: 256, props: []prop{ctm}}),
		encoders: []encoder{{encoderTMDS, 3, 0}, {encoderTMDS, 3, 0}},
		connectors: []connector{
			{kind: connectorHDMIA, connected: true, mm: [2]int{530, 300}, encoders: []int{0}, modes: monitorModes(1920, 1080), props: vc4Connector},
			{kind: connectorHDMIA, encoders: []int{1}, props: vc4Connector},
		},
	},
	// rockchip of an RK3399: a big and a little display controller.
	"rockchip": {
		driver: "rockchip", desc: "RockChip Soc DRM", date: "20140818", major: 1, bus: busPlatform, device: platform("rockchip,display-subsystem"),
		minSize: [2]int{4, 4}, maxSize: [2]int{4096, 4096},
		planes: []plane{
			{kind: 1, crtcs: 1, formats: "XR24 AR24 XB24 AB24 RG24 BG24 RG16 BG16 NV12 NV16 NV24", modifiers: []uint64{linear}, props: []prop{reflectY}},
			{kind: 0, crtcs: 1, formats: "XR24 AR24 XB24 AB24 RG16", modifiers: []uint64{linear}, props: []prop{reflectY}},
			{kind: 2, crtcs: 1, formats: rgb32, modifiers: []uint64{linear}},
			{kind: 1, crtcs: 2, formats: "XR24 AR24 XB24 AB24 NV12", modifiers: []uint64{linear}, props: []prop{reflectY}},
			{kind: 2, crtcs: 2, formats: rgb32, modifiers: []uint64{linear}},
		},
		crtcs: []crtc{{gamma: 1024, lut: 1024}, {}}, encoders: []encoder{{encoderTMDS, 3, 0}, {encoderTMDS, 3, 0}},
		connectors: []connector{
			{kind: connectorHDMIA, connected: true, mm: [2]int{520, 290}, encoders: []int{0}, modes: monitorModes(1920, 1080), props: []prop{contentType, maxBPC(16)}},
			{kind: connectorEDP, encoders: []int{1}, props: []prop{orientation}},
		},
	},
	// msm with a display processing unit: planes that any CRTC can use.
	"msm": {
		driver: "msm", desc: "MSM Snapdragon DRM", date: "20130625", major: 1, minor: 12, bus: busPlatform, device: platform("qcom,sdm845-mdss"), render: true,
		caps: map[string]int{"DUMB_PREFERRED_DEPTH": 24, "SYNCOBJ": 1, "SYNCOBJ_TIMELINE": 1, "CURSOR_WIDTH": 512, "CURSOR_HEIGHT": 512}, maxSize: [2]int{16383, 16383},
		planes: msmPlanes(2), crtcs: repeat(2, crtc{gamma: 0, props: []prop{ctm}}),
		encoders: []encoder{{encoderDSI, 3, 0}, {encoderTMDS, 3, 0}},
		connectors: []connector{
			{kind: connectorDSI, connected: true, mm: [2]int{65, 130}, encoders: []int{0}, modes: []map[string]any{timing(1080, 2160, 60, typePreferred|typeDriver)},
				noEDID: true, props: []prop{orientation}},
			{kind: connectorDP, encoders: []int{1}, props: []prop{subconnect}},
		},
	},
	// apple's display coprocessor: one CRTC and no gamma table.
	"apple": {
		driver: "apple", desc: "Apple Display Controller DRM driver", date: "20221106", major: 1, bus: busPlatform, device: platform("apple,t8103-display-subsystem"),
		caps: map[string]int{"DUMB_PREFERRED_DEPTH": 32}, minSize: [2]int{32, 32}, maxSize: [2]int{16384, 16384},
		planes: []plane{{kind: 1, crtcs: 1, formats: "XR24 AR24 XB24 AB24 XR30 NV12", modifiers: []uint64{linear}}},
		crtcs:  []crtc{{props: []prop{ctm}}}, encoders: []encoder{{encoderTMDS, 1, 0}},
		connectors: []connector{{kind: connectorEDP, connected: true, mm: [2]int{290, 180}, encoders: []int{0}, modes: []map[string]any{timing(2560, 1600, 60, typePreferred|typeDriver)},
			noEDID: true, props: []prop{orientation}}},
	},
	// evdi, which user space makes for docks: a platform device without a render
	// node.
	"evdi": {
		driver: "evdi", desc: "Extensible Virtual Display Interface", date: "20240501", major: 1, minor: 14, patch: 5, bus: busPlatform, device: platform("evdi"),
		caps: map[string]int{"DUMB_PREFERRED_DEPTH": 24, "DUMB_PREFER_SHADOW": 1}, minSize: [2]int{64, 64}, maxSize: [2]int{7680, 4320},
		planes: []plane{
			{kind: 1, crtcs: 1, formats: "XR24 AR24 XB24 AB24", modifiers: []uint64{linear}, props: []prop{damage}},
			{kind: 2, crtcs: 1, formats: "AR24", modifiers: []uint64{linear}},
		},
		crtcs: []crtc{{}}, encoders: []encoder{{encoderTMDS, 1, 0}},
		connectors: []connector{{kind: connectorDVID, connected: true, mm: [2]int{520, 290}, encoders: []int{0}, modes: monitorModes(1920, 1080)}},
	},
	// simpledrm on the framebuffer of the firmware.
	"simpledrm": {
		driver: "simpledrm", desc: "DRM driver for simple-framebuffer platform devices", date: "20200625", major: 1, bus: busPlatform, device: platform("simple-framebuffer"),
		caps: map[string]int{"DUMB_PREFERRED_DEPTH": 24, "DUMB_PREFER_SHADOW": 1}, minSize: [2]int{1920, 1080}, maxSize: [2]int{4096, 4096},
		planes: []plane{{kind: 1, crtcs: 1, formats: "XR24 AR24", modifiers: []uint64{linear}, props: []prop{damage}}},
		crtcs:  []crtc{{}}, encoders: []encoder{{encoderNone, 1, 0}},
		connectors: []connector{{kind: 0, connected: true, mm: [2]int{508, 286}, encoders: []int{0}, modes: []map[string]any{timing(1920, 1080, 60, typePreferred|typeDriver)},
			noEDID: true, props: []prop{orientation}}},
	},
	// udl: DisplayLink's first chips on USB.
	"udl": {
		driver: "udl", desc: "DisplayLink", date: "20120220", patch: 1, bus: busUSB, device: map[string]any{"vendor": 0x17e9, "product": 0x0141},
		caps: map[string]int{"DUMB_PREFERRED_DEPTH": 16}, minSize: [2]int{640, 480}, maxSize: [2]int{2048, 2048},
		planes: []plane{{kind: 1, crtcs: 1, formats: "RG16 XR24", modifiers: []uint64{linear}, props: []prop{damage}}},
		crtcs:  []crtc{{}}, encoders: []encoder{{encoderDAC, 1, 0}},
		connectors: []connector{{kind: connectorVGA, connected: true, mm: [2]int{340, 270}, encoders: []int{0}, modes: monitorModes(1280, 1024)}},
	},
	// radeon before atomic modesetting.
	"radeon": {
		driver: "radeon", desc: "ATI Radeon", date: "20080528", major: 2, minor: 50, bus: busPCI, device: pci(0x1002, 0x6779, 0x1043, 0x03da), render: true, noAtomic: true,
		caps:    map[string]int{"DUMB_PREFERRED_DEPTH": 24, "ASYNC_PAGE_FLIP": 1, "PAGE_FLIP_TARGET": 1, "ADDFB2_MODIFIERS": 0, "CURSOR_WIDTH": 128, "CURSOR_HEIGHT": 128},
		maxSize: [2]int{16384, 16384},
		planes:  []plane{{kind: 1, crtcs: 1, formats: rgb32}, {kind: 1, crtcs: 2, formats: rgb32}},
		crtcs:   repeat(2, crtc{gamma: 256}), encoders: []encoder{{encoderTMDS, 3, 0}, {encoderDAC, 3, 0}},
		connectors: []connector{
			{kind: connectorHDMIA, connected: true, mm: [2]int{520, 290}, encoders: []int{0}, modes: monitorModes(1920, 1080), props: []prop{
				enumProp("underscan", 0, "off", "on", "auto"), rangeProp("underscan hborder", 0, 0, 128), rangeProp("underscan vborder", 0, 0, 128)}},
			{kind: connectorVGA, encoders: []int{1}, props: []prop{boolProp("load detection", 1)}},
		},
	},
}

var reflectY = bitmaskProp("rotation", 1, "rotate-0", "", "", "", "", "reflect-y")

var vc4Connector = []prop{broadcast, maxBPC(12), colorspace, hdr,
	rangeProp("left margin", 0, 0, 100), rangeProp("right margin", 0, 0, 100), rangeProp("top margin", 0, 0, 100), rangeProp("bottom margin", 0, 0, 100)}

func amdgpuConnector(more prop) []prop {
	return []prop{scalingMode, enumProp("underscan", 0, "off", "on", "auto"), rangeProp("underscan hborder", 0, 0, 128),
		rangeProp("underscan vborder", 0, 0, 128), rangeProp("max bpc", 8, 8, 16), hdr, colorspace, protection, more}
}

func repeat[T any](n int, v T) (list []T) {
	for range n {
		list = append(list, v)
	}
	return list
}

func i915Planes(pipes int) (list []plane) {
	const formats = "C8 RG16 XR24 XB24 AR24 AB24 XR30 XB30 YUYV YVYU UYVY VYUY NV12"
	rotation := bitmaskProp("rotation", 1, "rotate-0", "rotate-90", "rotate-180", "rotate-270")
	modifiers := []uint64{intelYTiledCCS, intelYfTiledCCS, intelYTiled, intelYfTiled, intelXTiled, linear}
	for i := range pipes {
		for n, kind := range []int{1, 0, 0} {
			list = append(list, plane{kind: kind, crtcs: 1 << i, formats: formats, modifiers: modifiers,
				props: []prop{rotation, encoding, colorRange, blending, alpha, fixedZpos(uint64(n)), scaling}})
		}
		list = append(list, plane{kind: 2, crtcs: 1 << i, formats: "AR24", modifiers: []uint64{linear},
			props: []prop{bitmaskProp("rotation", 1, "rotate-0", "", "rotate-180"), fixedZpos(3)}})
	}
	return list
}

func amdgpuPlanes(pipes int) (list []plane) {
	const formats = "XR24 AR24 RA24 XR30 XB30 AR30 AB30 XR48 AR48 XB48 AB48 XB24 AB24 RG16 NV21 NV12 P010"
	for i := range pipes {
		list = append(list, plane{kind: 1, crtcs: 1 << i, formats: formats, modifiers: []uint64{linear},
			props: []prop{blending, alpha, encoding, colorRange, allRotations, fixedZpos(0), damage}})
	}
	for range 2 {
		list = append(list, plane{kind: 0, crtcs: mask(pipes), formats: formats, modifiers: []uint64{linear},
			props: []prop{blending, alpha, encoding, colorRange, allRotations, zpos(1, 1, 254), damage}})
	}
	for i := range pipes {
		list = append(list, plane{kind: 2, crtcs: 1 << i, formats: "AR24", modifiers: []uint64{linear}, props: []prop{fixedZpos(255)}})
	}
	return list
}

func nvidiaPlanes(heads int) (list []plane) {
	for i := range heads {
		list = append(list,
			plane{kind: 1, crtcs: 1 << i, formats: "C8 XR15 RG16 XR24 AR24 XB24 AB24 XR30 AR30", modifiers: []uint64{nvidiaBlock, linear},
				props: []prop{bitmaskProp("rotation", 1, "rotate-0"), fixedZpos(0), damage}},
			plane{kind: 0, crtcs: 1 << i, formats: "XR24 AR24 XB24 AB24 YUYV UYVY NV12 P010", modifiers: []uint64{nvidiaBlock, linear},
				props: []prop{blending, alpha, fixedZpos(1)}},
			plane{kind: 2, crtcs: 1 << i, formats: "AR24", modifiers: []uint64{linear}, props: []prop{fixedZpos(2)}})
	}
	return list
}

func vc4Planes(crtcs int) (list []plane) {
	const formats = "XR24 AR24 AB24 XB24 RG16 BG16 AR15 XR15 RG24 BG24 YU16 YU12 NV12 NV16"
	props := func(z uint64) []prop {
		return []prop{alpha, blending, bitmaskProp("rotation", 1, "rotate-0", "", "rotate-180", "", "reflect-x", "reflect-y"), encoding, colorRange, zpos(z, 0, 31), scaling}
	}
	for i := range crtcs {
		list = append(list, plane{kind: 1, crtcs: 1 << i, formats: formats, modifiers: []uint64{vc4TTiled, linear}, props: props(0)})
	}
	for i := range 8 {
		list = append(list, plane{kind: 0, crtcs: mask(crtcs), formats: formats, modifiers: []uint64{vc4TTiled, linear}, props: props(uint64(i + 1))})
	}
	for i := range crtcs {
		list = append(list, plane{kind: 2, crtcs: 1 << i, formats: formats, modifiers: []uint64{linear}, props: props(31)})
	}
	return list
}

func msmPlanes(crtcs int) (list []plane) {
	const formats = "AR24 AB24 RA24 XR24 XB24 RG24 BG24 RG16 BG16 AR30 XR30 NV12 P010"
	for i, kind := range []int{1, 1, 2, 2, 0, 0} {
		list = append(list, plane{kind: kind, crtcs: mask(crtcs), formats: formats, modifiers: []uint64{linear, qcomCompressed},
			props: []prop{bitmaskProp("rotation", 1, "rotate-0", "", "rotate-180", "", "reflect-x", "reflect-y"), alpha, blending, zpos(uint64(i), 0, 255)}})
	}
	return list
}

func mask(n int) uint32 { return 1<<n - 1 }
