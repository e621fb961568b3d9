// Package gem manages the buffers of a DRM device: objects on memfds, the
// handles by which each open file names them, dumb buffers, the fake offsets
// at which clients map them, and the two ways to share them: dma-bufs (PRIME)
// and GEM names.
//
// A driver attaches a [Manager] to its device after modesetting: a file
// releases its framebuffers before its handles. Package kms looks up the
// buffers of framebuffers here.
//
// An [Object] is counted: each handle and each framebuffer holds a reference.
// Its memory is a memfd sealed against shrinking, made when it is first mapped. A
// client that has mapped it keeps ordinary memory, whatever happens to the device.
//
// A buffer has the fences of the work that reads or writes it
// (reservation.go). Clients add them as sync files, drivers with
// [Object.Reserve], and package kms waits for them.
//
// A [DMABuf] is a buffer outside its device. Clients have descriptors of a
// terminal (package pollfd), which they can poll and nothing else. The server
// of the clients, such as package host, recognizes such a descriptor with
// [LookupDMABuf] and serves every other call. When another device imports it,
// it becomes an object there, with the same memory and the same fences.
//
// Lock order:
//
//	handles.mu → Manager.mu
//	Object.mu of an imported object → that of the exported one
//	Object.mu → DMABuf.mu → Manager.mu, the lock of all dma-bufs (leaves)
//	DMABuf.mu → reservation.mu → locks of fences
//
// Start reading at [Manager], then object.go.
package gem
