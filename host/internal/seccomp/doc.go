// Package seccomp hands the system calls of other processes to this one, with
// Linux's seccomp user notifications.
//
// A [Filter] says which calls are handed over. [Install] puts it on the calling
// thread, for good, and on everything that the thread starts. It returns the
// [Listener], at which the calls arrive as [Notification]s. Each is answered
// once: with a result, an error, a file descriptor, or by letting the kernel
// run it.
//
// Sources: linux/seccomp.h, seccomp(2), seccomp_unotify(2).
//
// # Traps
//
//   - A caller that does not lead its thread group is named by its thread id.
//     /proc/TID works, though a listing of /proc does not show it.
//   - A thread id may be reused as soon as its notification is no longer
//     valid: call [Listener.Valid] after looking at the process and before
//     writing to it.
//   - A signal that interrupts the passing of a descriptor makes it go wrong
//     silently. Threads that answer block all signals.
package seccomp
