// Package login1 serves a seat to programs as logind does: it is a D-Bus with the
// one service org.freedesktop.login1. Mutter, KWin, weston 10 and libseat's back
// end logind use it. Programs find the bus in the environment variable
// DBUS_SYSTEM_BUS_ADDRESS, in place of the machine's.
//
// There is one session, on seat0. The process that takes control of it
// (TakeControl) has a session of package seat, whose devices it takes by number
// (TakeDevice). When the seat is paused, the devices are paused by force
// (PauseDevice): the mastership of the cards is gone already. When a card is
// unplugged, its devices are gone ([Server.Gone]).
//
// Names, types and results are those of org.freedesktop.login1(5). The bus knows
// no other names, and routes no messages between its clients.
//
// Clients are not trusted. The numbers of connections, also of one process, and the
// sizes of messages are limited. A connection ends that sends what is no message,
// or that does not read what it is sent.
//
// Package seat/socket serves the connections.
//
// Lock order: seat.Seat.mu, Server.mu.
//
// Start reading at [Serve], then call.go.
package login1
