// Package config reads descriptions of cards: the files of udrm run --config
// and of package machine.
//
// A file is YAML. Its layout is that of the kernel's /config/vkms in configfs:
// a directory becomes a mapping, an attribute becomes a value, and a directory
// of links becomes a list of names.
//
//	cards:
//	  desk:                                   # /config/vkms/desk
//	    planes:
//	      p0: {type: primary, possible_crtcs: [c0]}
//	      p1: {type: primary, possible_crtcs: [c1]}
//	      pointer: {type: cursor, possible_crtcs: [c0]}
//	      video: {type: overlay}              # works with all CRTCs
//	    crtcs:
//	      c0: {writeback: 1}
//	      c1:
//	    encoders:
//	      e0: {possible_crtcs: [c0]}
//	      e1:                                 # works with all CRTCs
//	    connectors:
//	      left:
//	        type: DP
//	        possible_encoders: [e0]
//	        monitor: {name: Left, size: 600x340mm, modes: [2560x1440@60, 1920x1080]}
//	      right:
//	        status: disconnected
//	        possible_encoders: [e1]
//	        edid: right.bin                   # beside this file
//
// Everything has a default, so most files are short. This card has two
// monitors and two CRTCs, and each CRTC has a primary plane, a cursor plane and
// a writeback connector:
//
//	cards:
//	  desk:
//	    connectors:
//	      left: {type: DP, monitor: "Left:2560x1440@60,600x340mm"}
//	      right: {type: HDMI-A, monitor: "Right:1920x1080@60,530x300mm"}
//
// # Cards
//
// The cards are card0, card1 and so on, in the order of the file. A card has
// these attributes:
//
//	driver      vkms (a display, the default), vgem (buffers and fences only;
//	            it takes enabled, count and udev, but no other attribute), or a
//	            driver that the command adds
//	enabled     0 to leave the card unplugged at the start; default: 1
//	count       the number of such cards; default: 1
//	vkms        the version of Linux whose vkms the card is: 7.2 (the
//	            default) or 6.12; see docs/cards.md
//	console     0 to leave the card dark while no program is master; default:
//	            1, but 0 for cards that look like others
//	udev        what rules of udev on the machine add to the card: properties,
//	            as {ID_SEAT: seat1}, and a list of tags
//	syncobj     1 for sync objects and timelines
//	render      1 for a render node
//	formats     pixel formats in addition to the kernel's, by their codes in
//	            drm_fourcc.h: [XR30, NV12]
//	cursor      0 for no cursor planes; only without a list of planes
//	overlay     1 for eight overlay planes; only without a list of planes
//	plane_pipeline
//	            1 for a colour pipeline of each plane; not for 6.12
//	writeback   0 for no writeback connectors; only without a list of CRTCs
//	planes, crtcs, encoders, connectors
//	            the objects of the card, by name
//
// A card without any of the last four is the kernel's default device. With some
// of them, the defaults of the others are: one CRTC per connector, one encoder
// per connector, one connector per encoder or CRTC, and the planes that the
// CRTCs need. Planes and encoders without possible_crtcs work with all CRTCs.
// If a card lists several encoders, each connector names its own; as in the
// kernel's vkms, the connector uses the first of possible_encoders.
//
//	plane       type: overlay (0, the default), primary (1) or cursor (2);
//	            possible_crtcs
//	CRTC        writeback: 0 or 1
//	encoder     possible_crtcs
//	connector   type: Virtual (the default), DP, HDMI-A, eDP, …;
//	            status: connected (1, the default), disconnected (2), unknown (3);
//	            possible_encoders; monitor or edid
//
// The attribute monitor is a word as in [ParseMonitor], or a mapping of name,
// size, modes, manufacturer, serial, non-desktop (1 for a headset, which no
// compositor uses by itself), hdr (1 for HDR metadata and wide colours), vrr (the
// limits of a variable refresh rate: 48-144) and tile (2x1+1+0: the second of two
// tiles, side by side). Tiles of monitors with the same name, or with the same
// tile-group, belong together. The attribute edid names a file with an EDID. A
// damaged EDID is repaired or ignored, as in the kernel. A connector with neither
// has a monitor without EDID, as in the kernel's vkms.
//
// # Cards that look like hardware
//
// The attributes below make a card look like given hardware. A card with any of
// them is not the kernel's vkms any more: what it has is what the file says, and
// the defaults that follow. docs/cards.md has a complete example.
//
//	like         a file that drm_info -j has printed: the card begins as in the
//	             snapshot, and cannot list objects of its own
//	identity     driver, version (1.6.0), date and description; default: those
//	             of vkms
//	bus          type: platform (the default), pci, usb, faux, virtio or host1x;
//	             name on the bus; driver on the bus; vendor, device,
//	             subsystem_vendor, subsystem_device, class, revision; boot_vga: 1
//	             if the firmware has used the card; compatible: the names of a
//	             device in the device tree
//	module       name, and parameters with their values
//	caps         atomic, modifiers, dumb: 0 for a card without; import, export: 0
//	             for a card without dma-bufs of others, or for others; timeline:
//	             0 for sync objects without timelines; async_flips, flip_target
//	             (of PAGE_FLIP), cursor_hotspot, prefer_shadow: 1;
//	             preferred_depth: 24; cursor: 256x256
//	limits       min and max: sizes of framebuffers, 1x1 and 8192x8192
//	constraints  what the hardware refuses, see below
//
// Objects have more attributes:
//
//	plane       formats: default: XR24, AR24, RG16 and the formats of the card,
//	            AR24 for cursors; modifiers: a list of linear, x-tiled,
//	            vivante-tiled and numbers, or a mapping from each to its formats;
//	            enlarge, shrink: up to how many times each way, default: 1;
//	            must_cover: 1 if the plane must cover the CRTC; async_modifiers and
//	            async_formats: of framebuffers for async flips (IN_FORMATS_ASYNC;
//	            default: all); size_hints: [64x64, 128x128] for SIZE_HINTS;
//	            pipelines, see below; properties
//	CRTC        gamma, lut, degamma: entries of the legacy gamma table (default:
//	            256), of GAMMA_LUT (default: gamma) and of DEGAMMA_LUT (default:
//	            0); ctm: 1 for a colour matrix; properties
//	encoder     type: TMDS, DAC, LVDS, TV, Virtual, DSI, DP MST, DPI, None;
//	            default: what the connector needs; possible_clones
//	connector   subpixel: horizontal-rgb, …; allow: kinds of modes beyond the
//	            usual ones, a list of interlace, doublescan, 3d, ycbcr420 (modes
//	            that need YCbCr 4:2:0); properties
//
// The attribute properties maps names to values. A standard property needs none:
// "alpha:" is the property that the kernel makes. A list restricts the values, a
// word or a number is the first value, and zpos: 3 is a plane that stays there.
// Any other property says what it is; it keeps what clients set:
//
//	properties:
//	  rotation: [rotate-0, rotate-180]
//	  panel orientation: Left Side Up
//	  max bpc: {range: [8, 12], value: 12}
//	  gain: {signed_range: [-10, 10], value: -3, immutable: 0}
//	  dithering: {enum: [auto, off, on], value: auto}
//
// A plane with the attribute pipelines has COLOR_PIPELINE. Each pipeline is a list of
// operations, by the names that they have in TYPE. A 1D Curve can name its curves,
// and a LUT its size (default: 256, or 17 each way):
//
//	pipelines:
//	  - [1D Curve: [sRGB EOTF], 3x4 Matrix, Multiplier, 1D LUT: 1024, 3D LUT: 33]
//	  - [3x4 Matrix]
//
// With plane_pipeline, planes without this attribute have the pipeline of vkms.
//
// Types are range, signed_range, enum, bitmask and blob. Standard are, for planes,
// rotation, alpha, pixel blend mode, zpos, COLOR_ENCODING, COLOR_RANGE,
// SCALING_FILTER and FB_DAMAGE_CLIPS; for CRTCs, SCALING_FILTER, BACKGROUND_COLOR
// and SHARPNESS_STRENGTH; for connectors, HDR_OUTPUT_METADATA, Colorspace, max bpc,
// content type, Broadcast RGB, aspect ratio, panel orientation, scaling mode,
// underscan and its borders, the margins, TV mode, brightness, contrast, flicker
// reduction, overscan, saturation, hue, subconnector (with select subconnector,
// except for DisplayPort), vrr_capable, privacy-screen sw-state and hw-state,
// Content Protection, HDCP Content Type, panel_type, suggested X and Y, and PATH.
// Colorspace has the values of HDMI or of DisplayPort. Cursor planes have HOTSPOT_X and
// HOTSPOT_Y if the card has cursor_hotspot.
//
// Constraints are what hardware cannot do although its properties do not say so.
// A commit beyond them fails, also as a test, and the trace has the reason:
//
//	planes_per_crtc  visible planes of a CRTC: ENOSPC
//	scalers          planes of the card that scale at the same time: ENOSPC;
//	                 0 for a card that does not scale
//	bandwidth        bytes of framebuffers that all CRTCs together read in a
//	                 second: ENOSPC; with k, M, G or T
//	cursor_formats   formats of cursor planes: EINVAL
//	cursor_sizes     sizes of framebuffers of cursor planes, as [64x64]: EINVAL
//	async_flips      0 for a card that refuses every async flip, although caps
//	                 promise them: EINVAL
//
// # Directories
//
// A directory can replace the file: /config/vkms itself, as scripts prepare it
// for the kernel, or a directory of the same layout. Each of its directories is
// a card. The default of enabled is 1, and the file edid holds the EDID.
//
// # Errors
//
// All errors of a file are reported together, each with its line, the path to
// the attribute, and what to do:
//
//	desk.yaml:7: cards/desk/connectors/left/staus: unknown attribute; did you mean status?
//
// Start reading at [ReadFile].
package config
