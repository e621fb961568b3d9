package seatd

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/seat"
)

// A Server serves a seat on a socket.
type Server struct {
	seat     *seat.Seat
	log      *slog.Logger
	listener *net.UnixListener
	limit    seat.ConnLimit
	ended    sync.WaitGroup

	mu      sync.Mutex
	closing bool
	conns   map[*conn]struct{}
}

// Serve begins to serve a seat on a socket. A nil log discards what happens.
func Serve(l *net.UnixListener, s *seat.Seat, log *slog.Logger) *Server {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	server := &Server{seat: s, log: log, listener: l, conns: make(map[*conn]struct{})}
	server.ended.Go(server.accept)
	return server
}

// Environ returns the variables that make libseat use the server.
func (s *Server) Environ() []string {
	return []string{"LIBSEAT_BACKEND=seatd", "SEATD_SOCK=" + s.listener.Addr().String()}
}

// Close removes the socket and ends all connections and their sessions.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closing = true
	for c := range s.conns {
		c.hangUp()
	}
	s.mu.Unlock()
	err := s.listener.Close()
	s.ended.Wait()
	return err
}

func (s *Server) accept() {
	for {
		socket, err := s.listener.AcceptUnix()
		if errors.Is(err, net.ErrClosed) {
			return
		} else if err != nil {
			s.log.Error(fmt.Sprintf("seatd: accepting connections, which ends now: %v", err))
			return
		}
		c := &conn{server: s, socket: socket}
		if err := s.add(c); err != nil {
			s.log.Warn(fmt.Sprintf("seatd: a connection is refused: %v", err))
			_ = socket.Close()
		}
	}
}

// add begins to serve a connection.
func (s *Server) add(c *conn) (err error) {
	if c.pid, err = peer(c.socket); err != nil {
		return err
	}
	c.awaitsAnswers = sync.OnceValue(func() bool { return awaitsAnswers(c.pid) })
	ended, err := s.limit.Add(c.pid)
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
		c.serve()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.conns, c)
	})
	return nil
}

// peer returns the process at the other end of a socket.
func peer(c *net.UnixConn) (pid int, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	controlErr := raw.Control(func(fd uintptr) {
		var cred *unix.Ucred
		if cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			pid = int(cred.Pid)
		}
	})
	return pid, errors.Join(controlErr, err)
}
