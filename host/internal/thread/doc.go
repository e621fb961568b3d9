// Package thread works on a thread of another process while it waits in a
// system call. It reads and writes the thread's memory, looks at its
// descriptors, and makes it run system calls.
//
// Signals must not interrupt this work, and tracing is bound to one OS thread:
// [Go] gives a goroutine a thread of its own.
//
// A thread id may be reused. So callers ask the seccomp listener whether the
// call is still valid: after looking, and before changing anything.
//
// Lock order: alarm.mu, relaySet.mu and Texts.mu are leaves.
package thread

// An ID is a thread id in our pid namespace.
type ID int
