// Package kms is modesetting: what a display shows, and when. It has the
// objects that clients find (planes, CRTCs, encoders, connectors,
// framebuffers, properties and blobs), the state of all of them, and the
// vertical blanking that times displays.
//
// # Concept
//
// The [State] says what is shown. It is immutable, and is replaced as a whole.
// Every request that changes it, legacy or MODE_ATOMIC, makes an
// [AtomicState]: it edits a copy of the current state, the copy is checked as a
// whole, and then it either becomes the current state and goes to the hardware,
// or is dropped without a trace. Requests that only read take the current state
// without a lock.
//
// A commit is shown at the next vblank. No vblank shows half of a commit.
// Blocking requests return when it is shown. Nonblocking ones get an event, and
// a further one before that is EBUSY. An async flip is shown at once.
//
// Vblanks lie on a grid that is computed, not counted: number and time stamp of
// the last one follow from the [Clock]. So nothing drifts, and no timer runs
// while no client waits. A [ManualClock] stands still between the steps of a
// test. A driver can have vblanks of its own instead: see
// [CRTCConfig.VblankSource]. With VRR_ENABLED, and a monitor that can vary its
// refresh rate, the vblank of a commit comes as soon as the monitor allows.
//
// Nothing copies pixels: a flip changes the framebuffer that the state names. A
// picture is composed on demand: once for [ModeConfig.Screenshot], each frame
// while a [CRCStream] is open, and into the framebuffer of a writeback
// connector. Each frame is what the vblank showed. It is composed in a
// goroutine of its own, so that no flip waits for it.
//
// A [Connector] has a [Monitor] or none, which a driver may change at any time.
// Clients see the result of the last probe (monitor.go). What is shown does not
// depend on it: clients switch off a display whose monitor is gone. Connectors
// themselves come and go as those of DisplayPort MST do (dynamic.go).
//
// # Mechanism and policy
//
// This package has the mechanism; what a device can do is its driver's choice:
//
//   - A driver makes a [ModeConfig] and adds its objects. Their configurations
//     ([PlaneConfig], [CRTCConfig], …) say what each can do. Formats, scaling and
//     placement are checked here.
//   - It gives planes the standard properties that they have, such as
//     [Plane.CreateZposProperty]; what they do to the picture is done here.
//   - It adds properties of its own ([ModeConfig.AttachProperty]). Their values
//     are part of the State, and change with a commit or not at all.
//   - Its [Driver] functions refuse what the hardware cannot do, program the
//     hardware, and may hold a commit back.
//   - It attaches the ModeConfig to its DRM device, before the buffers of package
//     gem.
//
// Package vkms is a complete driver. A smaller one is in examples/display.
//
// # Fences
//
// A commit waits for the fences of its planes, and signals its own when it is
// shown (fences.go). While a nonblocking commit waits, its CRTCs are held: the
// current state has the commit already, but the hardware does not show it yet.
//
// # Unplug
//
// An unplug completes pending flips, whose fences fail with ENODEV, sends
// vblank events and wakes WAIT_VBLANK at once. What a request in flight arms
// afterwards completes at once as well. The vblank timer takes a guard for each
// tick, so that it never touches hardware that is gone.
//
// # Lock order
//
//	ModeConfig.topologyMu, console.mu → ModeConfig.mu (commits) → vblank.mu, in the order of the CRTCs → composer.mu → objectTable.mu
//	vblank.mu → the driver's locks, File; vblank.mu, ModeConfig.mu → the locks of fences
//	vblank.mu → Connector.mu → objectTable.mu
//	fileState.mu, CRCStream.mu, ModeConfig.fileMu, ManualClock.mu: leaves
//
// A guard is taken before all of them. No lock is held while a request waits
// for a vblank: it waits for an earlier commit without locks, and tries again.
//
// # Where to start reading
//
// state.go, atomicstate.go, check.go and commit.go (every change), then
// crtccommit.go, vblank.go and timeline.go (time), composition.go and
// capture.go (pictures), property.go and attach.go (properties). pageflip.go is
// a legacy request that uses all of it.
package kms
