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
// The version changes when a member changes its meaning; new members may come
// without that. Each other line is a call of a client or an event on a device:
//
//	type      of a call: ioctl, open, close, mmap, read;
//	          of an event: registered, unplug, drained, unplugged, vblank,
//	          frame, event
//	seq       the order in which calls began and events happened; lines are in
//	          the order in which calls ended
//	t         microseconds since the start of the trace
//	card      the device; missing for requests on dma-bufs and sync files
//
// Members of calls:
//
//	dur       microseconds until the answer was in client memory
//	entered   when the call entered its guard (microseconds, as t); missing if
//	          the device was unplugged
//	guard     how long it stayed inside
//	node      the node that was opened
//	file      a number for the open file
//	pid, comm the process
//	tid       the thread, if it is known
//	request   of an ioctl: the name in drm.h after DRM_IOCTL_, or the number
//	in        what the client passed, by the names of the fields in C
//	out       what it got back: the fields that have changed
//	errno     why the call failed, as in errno(3); missing on success
//	error     the reason in words
//
// Members of events: crtc and sequence (vblank counter) of vblank and frame;
// event (the name in drm.h), data, file, pid and comm of event, which is an
// event that was sent to a client. A frame is a commit that has come on the
// screen. An unplug begins with unplug, has drained when the last guard is
// exited, and is complete with unplugged.
//
// # Values
//
// Numbers are numbers up to 2^53, and hexadecimal text above. Addresses and
// offsets of mappings are always hexadecimal text.
//
// Flags and enumerations are text, as in the headers but without DRM_:
// "MODE_ATOMIC_TEST_ONLY|MODE_ATOMIC_NONBLOCK". Bits without a name come last,
// in hexadecimal. Pixel formats are "XRGB8888", modes of a list "1920x1080@60".
//
// An array replaces its address. MODE_ATOMIC has its settings in the member
// properties, in their order:
//
//	{"plane":31,"property":"FB_ID","value":{"fb":41}}
//
// Requests that get properties have the same member, without the object. Values
// of properties that hold an object have its kind: {"fb":41}, {"crtc":38}. A
// blob is {"blob":43}, with a member mode if a client has made it of a mode.
//
// Client memory cannot be trusted. At most 1024 elements of an array and 4096
// bytes of a text or blob are recorded. A last element "… 7 more" tells of the
// rest. An array that cannot be read stays an address.
//
// # Limits
//
// Requests on dma-bufs and sync files belong to no card: they have no card,
// node, file and guard. Reads of events by programs are not recorded, since
// programs read them from a pipe.
//
// # Lock order
//
// Recorder.mu is a leaf.
package trace
