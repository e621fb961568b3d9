// Package kms is modesetting: what a display shows, and when. It has the
// objects that clients find (planes, CRTCs, encoders, connectors,
// framebuffers, properties and blobs), the state of them all, and the vertical
// blanking by which displays keep time.
//
// # Concept
//
// What is shown is one [State]: immutable, replaced as a whole. Every request
// that changes something, be it a legacy one or MODE_ATOMIC, makes an
// [AtomicState]: it edits a copy of the current state, the copy is checked as a whole, and
// then either becomes the current state and goes to the hardware, or is thrown
// away without a trace. Requests that only look take the state as it is at
// that moment, without a lock.
//
// A commit is shown at the next vblank, and no vblank sees half of one.
// Blocking requests return then; non-blocking ones get an event, and a second
// one before it is EBUSY.
//
// Vblanks lie on a grid that is computed, not counted: number and time stamp
// of the last one follow from the [Clock], so that nothing drifts, and nothing
// has to run while nobody waits. A [ManualClock] stands still between steps of
// a test.
//
// Nothing copies pixels: a flip changes which framebuffer the state names. A
// picture is composed when somebody looks: once for [ModeConfig.Screenshot],
// each frame while a [CRCStream] is open, and into the framebuffer of a
// writeback connector. Each frame is what the vblank showed, and is composed
// beside, so that no flip waits for it.
//
// A [Connector] has a [Monitor] or none, which a driver may change at any time;
// clients see what the last probe saw (monitor.go). What is shown does not
// depend on it: switching a display off that is gone is up to the clients.
//
// # Who uses it
//
// A display driver makes a [ModeConfig], adds its objects, and attaches it to
// its DRM device; package kms calls it back as [Driver], always from inside a
// registration guard. Buffers come from package gem. See package vkms for a
// complete driver.
//
// # Fences
//
// A commit waits for the fences of its planes and signals its own when it is
// shown (fences.go). While one that may not block waits, its CRTCs are held:
// the current state is ahead of what the hardware shows.
//
// # Unplug
//
// An unplug completes pending flips, whose fences fail with ENODEV, sends
// vblank events and wakes WAIT_VBLANK at once, and what is armed by a request
// still in flight completes at once as well. The vblank timer takes a guard for
// each tick, so that it never touches hardware that is gone.
//
// # Lock order
//
//	ModeConfig.mu (commits) → vblank.mu, in the order of the CRTCs → composer.mu → objectTable.mu
//	vblank.mu → the driver's locks, File; vblank.mu, ModeConfig.mu → the locks of fences
//	Connector.mu → objectTable.mu
//	fileState.mu, CRCStream.mu, ModeConfig.fileMu, ManualClock.mu: leaves
//
// A guard is taken before all of them. Nobody waits for a vblank with a lock
// held: a commit that is in the way is waited for outside, and the attempt
// repeated.
//
// # Where to start reading
//
// state.go, atomicstate.go, check.go and commit.go (the way of every change), then
// crtccommit.go, vblank.go and timeline.go (time), scene.go and capture.go
// (pictures). pageflip.go is a legacy request that uses all of it.
package kms
