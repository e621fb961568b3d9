// Package gem is the buffers of a DRM device: objects on memfds, the handles
// by which each open file knows them, dumb buffers, the fake offsets by which
// clients map them, and the two ways to share them: dma-bufs (PRIME) and GEM
// names.
//
// A driver attaches a [Manager] to its device, behind modesetting: a file
// releases its framebuffers before its handles. Package kms looks up the
// buffers of framebuffers here.
//
// An [Object] is counted: each handle and each framebuffer holds it. Its
// memory is a memfd that is sealed against shrinking, so whoever has mapped
// it keeps ordinary memory, whatever happens to the device.
//
// A buffer has the fences of the work that draws into it, or reads it
// (reservation.go): clients put them there, as sync files, drivers with
// [Object.Reserve], and package kms waits for them.
//
// A [DMABuf] is a buffer outside of its device. Its descriptors are of a file
// that can be polled and nothing else (pollfile.go): who serves clients, as
// package host does, knows one by its inode ([LookupDMABuf]) and serves the
// rest. Imported, it is an object of the other device, on the same memory, with
// the same fences.
//
// Lock order:
//
//	handles.mu → Manager.mu
//	Object.mu → DMABuf.mu → Manager.mu, the lock of all dma-bufs (leaves)
//	DMABuf.mu → reservation.mu → locks of fences
//
// Start reading at [Manager], then object.go.
package gem
