// Package socket serves a Unix socket on which programs reach a seat. It bounds the
// connections of each process group, so that a program cannot keep others from
// the seat, and never waits for a program that does not read.
//
// Packages seatd and login1 use it: they speak the protocols.
//
// Lock order: Server.mu, connLimit.mu.
//
// Start reading at [Serve].
package socket
