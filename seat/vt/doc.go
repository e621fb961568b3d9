// Package vt is the virtual terminals of a seat: /dev/tty1 and so on, without a
// console.
//
// Programs such as Xorg open a terminal, switch to it and take over the display.
// The kernel then asks them by a signal before it switches to another terminal.
// [Terminals] answers their requests as the kernel does, and a terminal that a
// program controls by signals (VT_PROCESS) is a session of the seat. So
// [seat.Seat.Pause] is the switch that a user makes with Ctrl+Alt+F2.
//
// The file of a terminal is a pseudoterminal: the kernel does what a terminal does
// with lines, sizes and jobs. What programs write is discarded, and nothing can be
// read: no keyboard is behind it.
//
// # Lock order
//
// Terminals.mu is not held while the seat is called, because the seat calls the
// sessions. An owner's methods Enable and Disable only send signals.
//
// Start reading at [Terminals], then request.go.
package vt
