// Package mounts shows the virtual files of a host in mounts: in a mount namespace
// of the programs, which nothing outside of it sees.
//
// [New] makes the namespace, and a FUSE file system that is mounted nowhere. A
// server answers the requests for it. [Namespace.Cover] then mounts parts of the
// file system over real directories. A thread that is to start a program enters
// the namespace with [Namespace.Enter].
//
// The namespace is private: mounts of the machine appear in it (propagation
// slave), and its own appear nowhere else. It ends with the last program in it.
// The connection ends with the last descriptor of it, so a host that was killed
// leaves nothing that could make a program wait.
//
// Nothing in this package may be called by a thread that serves the file system.
package mounts
