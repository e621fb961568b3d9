// Package seatd serves a seat to programs in the protocol of seatd, which the
// back end seatd of libseat speaks. Wlroots, weston and other compositors use
// libseat. It finds the socket in the environment variable SEATD_SOCK.
//
// A message is a header (opcode and size, two bytes each) and as many bytes as
// the size says, in the byte order of the machine. A client sends a request and
// waits for its answer. The events ENABLE_SEAT and DISABLE_SEAT come at any time.
// The answer to OPEN_DEVICE carries the descriptor of the device.
//
// Clients are not trusted. A connection that sends what is no request ends, as
// does one that does not read what it is sent. The numbers of connections,
// sessions and devices are limited.
//
// Package seat/socket serves the connections. This package has no lock of its own.
//
// Start reading at [Serve].
package seatd
