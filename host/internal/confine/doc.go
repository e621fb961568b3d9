// Package confine takes rights away from a process that serves programs: it
// needs few, and what it does for a program should not be able to do more.
//
// A thread passes its capabilities and filters on to the threads and processes
// that it makes, and programs must not inherit less than they would have
// without a host. So the programs are started by another process (package
// launcher), and a confined process starts none.
package confine
