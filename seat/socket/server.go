package socket

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/internal/accept"
)

// A Server accepts connections.
type Server struct {
	name     string
	handle   func(*Conn) error
	log      *slog.Logger
	listener *net.UnixListener
	limit    connLimit
	ended    sync.WaitGroup

	mu      sync.Mutex
	closing bool
	conns   map[*Conn]struct{}
}

// Serve begins to accept connections. It calls handle for each of them, on a
// goroutine of its own, and closes the connection when handle returns. The error
// of handle says why the connection ended. name stands before the messages in
// the log.
func Serve(l *net.UnixListener, name string, log *slog.Logger, handle func(*Conn) error) *Server {
	s := &Server{name: name, handle: handle, log: log, listener: l, conns: make(map[*Conn]struct{})}
	s.ended.Go(s.accept)
	return s
}

// Path returns the path of the socket.
func (s *Server) Path() string { return s.listener.Addr().String() }

// Close removes the socket, hangs up all connections, and waits until handle has
// returned for each.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closing = true
	for c := range s.conns {
		c.HangUp()
	}
	s.mu.Unlock()
	err := s.listener.Close()
	s.ended.Wait()
	return err
}

func (s *Server) accept() {
	for {
		socket, err := accept.Next(s.listener.AcceptUnix, func(err error) {
			s.log.Error(fmt.Sprintf("%s: accepting connections, which is tried again: %v", s.name, err))
		})
		if err != nil {
			return // it is closed
		}
		if err := s.add(&Conn{socket: socket}); err != nil {
			s.log.Warn(fmt.Sprintf("%s: a connection is refused: %v", s.name, err))
			_ = socket.Close()
		}
	}
}

// add begins to serve a connection.
func (s *Server) add(c *Conn) (err error) {
	if c.peer, err = peer(c.socket); err != nil {
		return err
	}
	ended, err := s.limit.add(c.PID())
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		ended()
		return net.ErrClosed
	}
	s.conns[c] = struct{}{}
	s.ended.Go(func() {
		defer ended()
		s.serve(c)
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.conns, c)
	})
	return nil
}

func (s *Server) serve(c *Conn) {
	err := s.handle(c)
	_ = c.socket.Close()
	for _, usual := range []error{nil, io.EOF, net.ErrClosed, unix.ECONNRESET, unix.EPIPE} {
		if errors.Is(err, usual) {
			return
		}
	}
	s.log.Warn(fmt.Sprintf("%s: the connection of process %d ends: %v", s.name, c.PID(), err))
}
