// Package conformance is test cases that any DRM device must pass: what the
// uAPI's headers and documentation say that a client gets, for each request
// its success, its errors, who may send it, and what it answers when the
// device is gone. The cases know nothing of package drm and its parts: they
// are clients, and run the same against
//
//   - a device of package drm, in the same process: [InProcess];
//   - a device that package host serves, from a program that makes real system
//     calls: [Card];
//   - a kernel's card, by the same program.
//
// A driver writer runs them against a driver of theirs:
//
//	func TestConformance(t *testing.T) {
//		class := drm.NewClass(drm.ClassOptions{})
//		dev, err := bus.New("platform").Add("mine")
//		…
//		conformance.Run(t, conformance.InProcess(class, dev, mine.NewDriver(class)))
//	}
//
// and everybody against a card, to which nobody else should be master:
//
//	go test ./conformance -card /dev/dri/card0 [-unplug] [-other /dev/dri/card1] [-partial] [-run TestCard/flip]
//
// # Concept
//
// A [Target] is the device: a [System], which is the handful of system calls
// that a DRM client makes, and ways to find its nodes and to unplug it. A
// [Case] is one subject: it opens nodes, sends requests, and looks at what is
// answered. Arguments are the structs of package uapi, and pointers are real
// addresses of this process for all targets: what reads them is the kernel, or
// process_vm_readv.
//
// # What a device lacks
//
// A case says what it needs of the device ([Needs]): sync objects, a cursor
// plane, to be unplugged. Before the cases, the device is asked for each of
// these. A case whose need the device does not meet fails, and says which and
// why, because a suite that leaves out what it cannot do, and is green, tells
// nobody anything. Who knows that a device has less says so with
// Target.Partial (-partial): then such cases are no failure, and the log (-v)
// names them.
//
// # What was covered
//
// Nobody keeps a list of which case covers which request: [Run] notes what was
// sent, and what each request answered ([Coverage]). The package's own tests
// hold that against the requests that a device of udrm serves: each must have
// succeeded, must have been asked of a device that is gone, and so on.
//
// # Where kernels differ
//
// Where the documentation leaves room, kernels that are in use answer
// differently, or package host says in its documentation that it does, a case
// takes each of the answers. Requests that are younger than Linux 6.1 are
// needs.
//
// # What a case leaves behind
//
// Nothing: files are closed, and with them what they show; a device that was
// unplugged is plugged in again, when nobody has the old one open any more, so
// that its nodes are called what they were called.
//
// Start reading at [Case], then version.go for a simple one and flip.go for
// one that shows something. requests.go is the list of requests by which the
// rules for all of them are checked (rules.go).
package conformance
