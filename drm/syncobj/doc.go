// Package syncobj gives fences handles: it is the [drm.Part] that answers the
// SYNCOBJ requests. A sync object holds a fence, or none yet, or a timeline
// of them; clients make it, signal it, wait for it, and pass it on as a
// descriptor. Graphics programs and compositors synchronise with it.
//
// Every device attaches the part. What it answers depends on the features of
// the driver, as in the kernel: without drm.FeatureSyncobj, or
// drm.FeatureSyncobjTimeline for the requests of timelines, EOPNOTSUPP.
//
// A request that waits ends with ENODEV when its device is unplugged. The
// objects themselves belong to clients, not to the device: they outlive it,
// and can be imported into another.
//
// # Lock order
//
//	Syncobj.mu → a fence's lock, a wait's lock
//
// # Where to start reading
//
// syncobj.go (the object), wait.go (waiting), then ioctls.go.
package syncobj
