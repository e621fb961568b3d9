// Package thread works on a thread of another process while it waits in a
// system call: it reads and writes the thread's memory, looks at its
// descriptors, and makes it run system calls of our choice.
//
// What is done so must not be disturbed by signals, and tracing is bound to one
// OS thread: [Go] gives a goroutine one of its own.
//
// Everything here is bound to a thread id, and ids are used again: whoever
// uses this package asks the seccomp listener whether the call is still valid,
// after looking and before changing anything.
package thread

// An ID is a thread id in our pid namespace.
type ID int
