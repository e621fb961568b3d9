// Package seccomp hands the system calls of other processes to this one, with
// Linux's seccomp user notifications.
//
// A [Filter] says which calls are handed over. [Install] puts it on the
// calling thread, for good, and on all that the thread starts, and returns
// the [Listener]: the other end, at which the calls arrive as
// [Notification]s. Each is answered once: with a result, with an error, with
// a file descriptor, or with "go on, kernel".
//
// Sources: linux/seccomp.h, seccomp(2), seccomp_unotify(2).
//
// # Traps
//
//   - A caller that is not a leader of its thread group is named by its thread
//     id; /proc/TID works, though a listing of /proc does not show it.
//   - A thread id can be in use again as soon as its notification is no longer
//     valid: ask [Listener.Valid] after looking at the process and before
//     writing to it.
//   - A signal that interrupts the giving of a descriptor makes it go wrong
//     silently. Threads that answer block all signals.
package seccomp
