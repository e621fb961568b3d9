// Package trace records what programs ask of their cards, and what the cards
// answer. It decodes requests by name: structs, arrays in client memory,
// properties with their values, pixel formats, modes, blobs and events.
//
// A [Recorder] writes a trace while the cards run. [Read] reads one. [Show],
// [Chrome], [Diff], [Stats] and [Cover] present it. The command "udrm run
// --trace FILE" records a program, and "udrm trace" has the rest.
//
// # Format
//
// A trace is a file of JSON objects, one a line. The first line is
//
//	{"type":"trace","version":1,"start":"2026-01-02T15:04:05.678Z"}
//
// The version changes when the meaning of a member changes. New members can
// appear without a new version.
//
// Each other line is a call of a client or an event on a device. Members of
// both:
//
//	type      the kind of call: ioctl, open, close, mmap, read; or of event:
//	          registered, unplug, drained, unplugged, vblank, frame, event
//	seq       a number, in the order in which calls begin and events happen;
//	          lines are in the order in which calls end
//	t         microseconds since the start of the trace
//	card      the device
//
// Members of calls:
//
//	dur       microseconds until the answer was in client memory
//	entered   when the call entered its guard, as t; missing if the device was
//	          unplugged
//	guard     microseconds inside the guard
//	node      the node that was opened
//	file      a number for the open file
//	pid       the process
//	tid       the thread, if it is known
//	comm      the name of the thread
//	request   the name of an ioctl in drm.h after DRM_IOCTL_, or its number
//	in        what the client passed, by the names of the fields in C
//	out       what the client got back: the fields that changed
//	errno     why the call failed, as in errno(3); missing on success
//	error     the reason in words
//
// Members of events:
//
//	crtc      of vblank and frame: the CRTC
//	sequence  likewise: the vblank counter
//	event     of event, which is an event for a client: its name in drm.h
//	data      likewise: its fields; file, pid and comm are those of the client
//
// A vblank is recorded if a client or a commit waits for it. A frame is a
// commit that has reached the screen. An unplug begins with the event unplug.
// The event drained follows when the last guard is exited, and unplugged at the
// end.
//
// # Values
//
// Integers up to 2^53 are JSON numbers. Larger ones are hexadecimal text, as
// are all addresses and offsets of mappings.
//
// Flags and enumerations are text, as in the headers but without DRM_:
// "MODE_ATOMIC_TEST_ONLY|MODE_ATOMIC_NONBLOCK". Bits without a name come last,
// in hexadecimal. A pixel format is text such as "XRGB8888", and a mode in a
// list is text such as "1920x1080@60".
//
// An array replaces its address. The arrays of MODE_ATOMIC become one array,
// the member properties:
//
//	{"plane":31,"property":"FB_ID","value":{"fb":41}}
//
// The answers of requests for properties have the same member, without the
// object. The value of an object property names the type of the object:
// {"fb":41} or {"crtc":38}. The value of a blob property is {"blob":43}, with
// the member mode if a client created the blob from a mode.
//
// Client memory cannot be trusted, so records are bounded: at most 1024
// elements of an array, and 4096 bytes of a text or blob. A last element such
// as "… 7 more" stands for the rest. An array that cannot be read stays an
// address.
//
// # Limits
//
// Requests on dma-bufs and sync files have no card, node, file and guard, since
// they belong to no device. Programs read events from a pipe, so their reads
// are not recorded.
//
// # Lock order
//
// Recorder.mu is a leaf.
//
// Start reading at [Recorder], then decode.go.
package trace
