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
// (reservation.go): clients put them there, as sync files, and package kms
// waits for them.
//
// Lock order: handles.mu → Manager.mu (leaf); Object.mu is a leaf,
// and the lock of all reservations stands above that of fences only.
//
// Start reading at [Manager], then object.go.
package gem
