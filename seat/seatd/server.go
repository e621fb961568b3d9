package seatd

import (
	"log/slog"
	"net"
	"sync"

	"github.com/udrm/udrm/seat"
	"github.com/udrm/udrm/seat/socket"
)

// A Server serves a seat on a socket.
type Server struct {
	seat   *seat.Seat
	log    *slog.Logger
	socket *socket.Server
}

// Serve begins to serve a seat on a socket. A nil log discards what happens.
func Serve(l *net.UnixListener, s *seat.Seat, log *slog.Logger) *Server {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	server := &Server{seat: s, log: log}
	server.socket = socket.Serve(l, "seatd", log, server.serve)
	return server
}

func (s *Server) serve(client *socket.Conn) error {
	c := &conn{Conn: client, server: s}
	c.awaitsAnswers = sync.OnceValue(func() bool { return awaitsAnswers(c.PID()) })
	return c.serve()
}

// Environ returns the variables that make libseat use the server.
func (s *Server) Environ() []string {
	return []string{"LIBSEAT_BACKEND=seatd", "SEATD_SOCK=" + s.socket.Path()}
}

// Close removes the socket and ends all connections and their sessions.
func (s *Server) Close() error { return s.socket.Close() }
