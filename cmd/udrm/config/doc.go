// Package config reads files that describe the cards of udrm run --config.
//
// A file is YAML, laid out as the kernel lays out /config/vkms in configfs:
// what is a directory there is a mapping here, what is an attribute is a
// value, and what is a directory of links is a list of names.
//
//	cards:
//	  desk:                                   # /config/vkms/desk
//	    planes:
//	      p0: {type: primary, possible_crtcs: [c0]}
//	      p1: {type: primary, possible_crtcs: [c1]}
//	      pointer: {type: cursor, possible_crtcs: [c0]}
//	      video: {type: overlay}              # for all CRTCs
//	    crtcs:
//	      c0: {writeback: 1}
//	      c1:
//	    encoders:
//	      e0: {possible_crtcs: [c0]}
//	      e1:                                 # of all CRTCs
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
// What is left out is filled in, so that most files are short. These are two
// monitors on a card of two CRTCs, each with a primary plane, a cursor and a
// writeback connector:
//
//	cards:
//	  desk:
//	    connectors:
//	      left: {type: DP, monitor: "Left:2560x1440@60,600x340mm"}
//	      right: {type: HDMI-A, monitor: "Right:1920x1080@60,530x300mm"}
//
// # Cards
//
// The cards become card0, card1 and so on in the order of the file. A card has
//
//	driver      vkms, a display, which is the default; or vgem, buffers and
//	            fences only, which takes but enabled and count
//	enabled     0 for a card that is not there at first; --at plugs it
//	count       how many of it there are: 1 unless it is given
//	syncobj     1 for sync objects and timelines
//	render      1 for a render node
//	formats     pixel formats of planes and writeback beside the kernel's:
//	            [XR30, NV12], by the codes of drm_fourcc.h
//	cursor      0 for no cursor planes, where planes are not listed
//	overlay     1 for eight overlay planes, where planes are not listed
//	writeback   0 for no writeback connectors, where CRTCs are not listed
//	planes, crtcs, encoders, connectors
//
// A card without the last four is the kernel's default device. Where some are
// listed, there is one CRTC for each connector, one encoder for each connector,
// or one connector for each encoder or CRTC, and the planes that the CRTCs
// need. Planes and encoders without possible_crtcs are for all CRTCs. Where
// several encoders are listed, connectors say which is theirs; it is the first
// of possible_encoders that is used, as in the kernel's vkms.
//
//	plane       type: overlay (0, the default), primary (1) or cursor (2);
//	            possible_crtcs
//	CRTC        writeback: 0 or 1
//	encoder     possible_crtcs
//	connector   type: Virtual (the default), DP, HDMI-A, eDP, …;
//	            status: connected (1, the default), disconnected (2), unknown (3);
//	            possible_encoders; monitor or edid
//
// A connector has a monitor without EDID, as in the kernel's vkms, or one that
// is described (see [ParseMonitor]; or by name, size, modes, manufacturer and
// serial), or one whose EDID is in a file.
//
// # Directories
//
// In place of a file there may be a directory: /config/vkms itself, as scripts
// set it up for the kernel, or one that is laid out so. Each of its directories
// is a card; enabled is 1 unless there is a file that says otherwise, and edid
// is the EDID itself.
//
// # Errors
//
// All errors of a file are reported together, each with the line, the path to
// what is wrong, and what to do:
//
//	desk.yaml:7: cards/desk/connectors/left/staus: there is no such attribute; did you mean status?
//
// Who uses it: command udrm. Start reading at [ReadFile].
package config
