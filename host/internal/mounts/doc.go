// Package mounts shows the virtual files of a host in mounts: in a mount namespace
// of the programs, which nothing outside of it sees.
//
// [New] makes the namespace, and two FUSE file systems that are mounted nowhere.
// Servers answer the requests for them. [Namespace.Cover] then mounts parts of the
// file systems over real directories. A thread that is to start a program enters
// the namespace with [Namespace.Enter].
//
// The namespace is private: mounts of the machine appear in it (propagation
// slave), and its own appear nowhere else. It ends with the last program in it.
// A connection ends with the last descriptor of it, so a host that was killed
// leaves nothing that could make a program wait.
//
// Nothing in this package may be called by a thread that serves the file systems.
package mounts
