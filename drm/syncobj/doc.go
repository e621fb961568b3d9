// Package syncobj implements sync objects, which give fences handles. Its
// [Manager] is the [drm.Part] that serves the SYNCOBJ requests. A sync object
// holds no fence, one fence, or a timeline of fences. Clients create it, signal
// it, wait for it, and share it as a file descriptor. Graphics programs and
// compositors synchronise with it.
//
// Every driver may attach the part. The features of the driver decide what it
// serves, as in the kernel. Without [drm.FeatureSyncobj] all requests fail with
// EOPNOTSUPP; without [drm.FeatureSyncobjTimeline] those for timelines do.
//
// A waiting request ends with ENODEV when its device is unplugged. Sync objects
// belong to clients, not to the device. They outlive it, and can be imported
// into another device.
//
// # Lock order
//
//	Syncobj.mu → a fence's lock, a wait's lock
//
// # Where to start reading
//
// syncobj.go (the object), wait.go (waiting), then ioctls.go.
package syncobj
