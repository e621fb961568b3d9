// Package conformance has test cases that any DRM device must pass. For each
// request they check what the uAPI's headers and documentation promise: its
// success, its errors, who may send it, and its answer on an unplugged device.
//
// The cases do not know package drm. They are clients, and run unchanged
// against
//
//   - a device of package drm in the same process: [InProcess];
//   - a device that package host serves, from a program that makes real system
//     calls: [Card];
//   - a kernel's card, from the same program.
//
// A driver's test runs them like this:
//
//	func TestConformance(t *testing.T) {
//		class := drm.NewClass(drm.ClassOptions{})
//		dev, err := bus.New("platform").Add("mine")
//		…
//		conformance.Run(t, conformance.InProcess(class, dev, mine.NewDriver(class).BusDriver()))
//	}
//
// The package's own test runs them against a card, which must have no master:
//
//	go test ./conformance -card /dev/dri/card0 [-unplug] [-other /dev/dri/card1] [-partial] [-differs NAME=REASON] [-run TestCard/flip]
//
// # Concept
//
// A [Target] is the device under test: a [System], which is the few system
// calls that a DRM client makes, and ways to find the device's nodes and to
// unplug it. A [Case] has one subject: it opens nodes, sends requests and
// checks the answers. Arguments are the structs of package uapi. Pointers are
// real addresses of this process for all targets: the kernel reads them, or the
// target does with process_vm_readv.
//
// # Needs
//
// A case declares what it needs of the device ([Needs]): sync objects, a cursor
// plane, an unplug. [Run] first asks the device for each of these. A case whose
// needs are not met fails and names them, because a suite that silently leaves
// cases out proves nothing. Target.Partial (-partial) is for a device that is
// known to have less: such cases then do not fail, and the log (-v) lists them.
//
// Some cases are about one standard property, which drivers may have or not
// (Case.Property). They do not apply to a device without it; the log lists them.
//
// # Connectors
//
// The cases about the life of a connector force its status in sysfs and debugfs,
// replace its EDID and listen to uevents ([Surroundings]). They leave nothing
// forced. Others have the target add and remove connectors, as a hub of
// DisplayPort MST does (Target.AddConnector, -add-connector).
//
// # Known differences
//
// [Differs] (-differs) declares that a device fails a case, and why. Run then
// expects the case to fail: if it passes, the declaration is out of date, and
// Run reports that as a failure. [Only] selects cases by name.
//
// # Coverage
//
// Run counts the answers of each request ([Coverage]). The package's own tests
// compare them with the requests that a udrm device serves: each must have
// succeeded, must have been sent to an unplugged device, and so on. A new
// request therefore needs a case.
//
// # Where kernels differ
//
// A case accepts several answers where the documentation leaves them open,
// where kernels in use differ, or where package host documents a difference.
// Requests that are younger than Linux 6.1 are needs.
//
// # Clean-up
//
// A case closes its files, and with them what they show. It plugs an unplugged
// device in again after it has closed all files of the old one, so that the
// nodes keep their names.
//
// Start reading at [Case], then version.go for a simple one and flip.go for one
// that shows something. requests.go lists the requests that the rules of
// rules.go apply to.
package conformance
