// Package fusefs serves the virtual files of a host to the kernel, as a FUSE file
// system. [Serve] is a [host.FileServer].
//
// The kernel keeps no names, attributes or contents: it asks each time, as a
// hot-plug may change all of them. Only what is really there and has other files
// mounted on top is kept.
//
// What a program asks arrives as requests of the kernel, which bounds their
// sizes. No request makes this process wait for a program.
package fusefs
