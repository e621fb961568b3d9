// Package seat is a seat for compositors: what seatd or logind is on a machine.
//
// A compositor does not open the cards itself. It opens a session on a seat, and
// asks the session for cards. One session is active at a time. When the user
// switches to another one, the seat takes the mastership of the cards away from
// the first session and tells it so; when the user switches back, the seat gives
// the cards back.
//
// A [Seat] has no console and belongs to one machine: two of them do not know of
// each other. Its virtual terminals are only numbers here. Each session gets the
// number of a terminal of its own, and a terminal without a session is where
// nothing runs. [Seat.Pause] switches to such a terminal, and [Seat.Resume]
// switches back. So a test can do what a person does with Ctrl+Alt+F2.
//
// Packages seatd and login1 serve a seat to programs: by the protocol of seatd and
// libseat, and by that of logind. Package vt serves the files of the terminals.
//
// # Lock order
//
// Seat.mu is not held while a device changes its master: a rule of package aim may
// steer the seat inside such a request. Methods of [Client] are called with
// Seat.mu held. They must not wait, and must not call the seat.
//
// # Where to start reading
//
// seat.go, then device.go.
package seat
