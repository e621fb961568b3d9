// Package gate makes files whose writes are answered: a program that writes to
// one waits until this process has looked at the data, and gets the error that
// this process gives. No write of the program is trapped for it.
//
// The program has the write end of a pipe that is full. Its thread sleeps in
// write(2), and the kernel sends this process a signal (F_SETSIG) just before.
// This process finds the thread in /proc, reads the data from its memory, and
// makes the write return with ptrace (package thread). The data never enters
// the pipe.
//
// A program that also reads has one end of a socket whose buffer is full. No
// signal tells of a thread that sleeps there, so it is looked for again and
// again: a write takes at most as long as the file is open, and not much more
// than a tenth of a second. A process with many open files waits longer.
//
// Calls that move data of another file, as sendfile(2), are refused with the errors
// after which programs write(2).
//
// Where that fails, as for a thread that a debugger traces, the gate is opened:
// the pipe or the socket takes the data, and the write succeeds before the data
// is looked at. A gate that is open stays so.
//
// Lock order: Set.searching, reads.mu. Set.mu and writers.mu are leaves.
package gate
