// Package aim acts on a machine at a chosen moment: while the third atomic
// commit is in flight, when a buffer is mapped, at the tenth frame.
//
// A [Rule] names an event and what to do there. [Attach] aims it at a machine:
//
//	rule, err := aim.Parse("MODE_ATOMIC#3:handled:unplug")
//	…
//	trigger, err := aim.Attach(m, rule, nil)
//	…
//	err = trigger.Wait(ctx) // the third commit was made, and the card is gone
//
// # Rules
//
// A rule is EVENT[#WHEN][:WORD]…. The words say where the event counts, and what
// happens at it. Where strace's -e inject= has a word, it is the same one.
//
// EVENT is one of
//   - requests, by the names of drm.h without DRM_IOCTL_: "MODE_ATOMIC", or
//     "ADDFB2" for MODE_ADDFB2. A comma separates several; "all" means each
//     request.
//   - "open", "close" and "mmap" of a card
//   - "vblank" and "frame": a vblank that a program waits for, and a commit that
//     is on the screen
//   - "event": an event that a card sends to a program
//   - "start": a program is about to start
//
// WHEN is strace's when=: "3" is the third event, "3+" the third and each after
// it, "3..5" the third to the fifth, "3+2" the third and each second one after
// it. It counts only the events that the rule's filters let pass. Without WHEN,
// a rule that acts on a card fires once, and any other rule fires each time.
//
// The point within a request, an open or a mapping is one of
//   - "before": before its guard
//   - "entered": inside the guard, before the handler (default)
//   - "handled": inside the guard, after the handler
//   - "after": the guard has exited, and the answer is in the program's memory
//
// A close has only the point "after".
//
// The filters are card=LABEL, comm=NAME, pid=N, crtc=ID, property=NAME,
// flag=NAME or flag=!NAME, of MODE_ATOMIC, and planes=N and bandwidth=N: what the
// displays use once the request has succeeded, in planes and in megabytes a
// second. N is a number, "3+" for 3 and more, or "3..5".
//
// The effects are error=ERRNO, retval=0 (the request succeeds without being
// handled), lost, doubled and short=BYTES of an event, lost of a frame (its commit
// never completes), delay=TIME (delay_enter=TIME and
// delay_exit=TIME include the points "entered" and "after"), signal=SIG for the
// program that causes the event, and one action on a card, which is the last
// word; see [Actions].
//
// # What the event waits for
//
// A request waits at its point until the action is done. There are two
// exceptions. An action that makes an unplug of the request's own card wait
// for this request would never end: inside the guard, and in a close,
// the request waits until that unplug has begun, so that guards are refused and
// contexts have ended. And a vblank or a frame waits for nothing: the action
// begins at once, in another goroutine. A wait also ends when the thread of the
// request is interrupted or dies.
//
// Why no two waits block each other: a request that waits outside all guards
// delays no unplug. One that waits inside a guard of a card stops waiting as
// soon as an unplug of that card begins, whichever goroutine unplugs it.
//
// # Cost
//
// A machine without triggers is not traced. A [Trigger] costs some ten
// nanoseconds a request that it does not name.
//
// # Lock order
//
// Trigger.mu is a leaf, and actions run without it.
//
// Start reading at [Parse], then [Attach].
package aim
