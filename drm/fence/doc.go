// Package fence says when work is done: fences, and the sync files by which
// clients pass them around.
//
// A [Fence] is signalled once, with success or an error and a timestamp, and
// stays signalled. Who makes the work makes the fence, on a [Context]: the
// fences of one context are signalled in order. Who waits calls
// [Fence.AddCallback], selects on [Fence.Done] or asks [Fence.Status].
//
// Fences combine: [Merge] is signalled when all of several are, and a chain
// ([NewChain]) strings the points of a timeline together, each signalled when
// it and all before it are.
//
// A [SyncFile] is a descriptor of a fence (linux/sync_file.h): readable for
// poll(2) once the fence is signalled. It is a file of its own: it outlives
// the device whose fence it holds, and the unplug of a device signals what is
// pending with ENODEV, so that nobody waits for ever.
//
// Package drm/kms makes fences of commits and waits for those of clients;
// package drm/syncobj gives fences handles.
//
// # Lock order
//
// The lock of a composite fence is taken ahead of those of its parts; these are
// leaves. Callbacks run without any, in the goroutine that signals, and must
// not block.
//
// # Where to start reading
//
// fence.go, then combine.go, chain.go, and syncfile.go.
package fence
