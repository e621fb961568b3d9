package login1

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/seat"
)

// SessionID is the identifier of the session.
const SessionID = "udrm1"

// vtNumber is the virtual terminal that the session seems to have.
const vtNumber = 1

// A Server serves a seat on a socket.
type Server struct {
	seat     *seat.Seat
	log      *slog.Logger
	listener *net.UnixListener
	guid     string
	limit    seat.ConnLimit
	ended    sync.WaitGroup

	mu         sync.Mutex
	closing    bool
	conns      map[*conn]struct{}
	lastName   int
	controller *control // of the session; nil: none
	kind       string   // of the session: SetType changes it
}

// Serve begins to serve a seat on a socket. A nil log discards what happens.
func Serve(l *net.UnixListener, s *seat.Seat, log *slog.Logger) *Server {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	var guid [16]byte
	_, _ = rand.Read(guid[:]) // never fails
	server := &Server{
		seat: s, log: log, listener: l, guid: hex.EncodeToString(guid[:]),
		conns: make(map[*conn]struct{}), kind: "wayland",
	}
	server.ended.Go(server.accept)
	return server
}

// Environ returns the variables that make programs use the server.
func (s *Server) Environ() []string {
	return []string{
		"DBUS_SYSTEM_BUS_ADDRESS=unix:path=" + s.listener.Addr().String(),
		"XDG_SESSION_ID=" + SessionID, "XDG_SEAT=" + seat.Name, fmt.Sprintf("XDG_VTNR=%d", vtNumber),
	}
}

// Files returns the files, by path, in which libsystemd finds the session.
func (s *Server) Files() map[string]func() string {
	uid := os.Geteuid()
	return map[string]func() string{
		"/run/systemd/sessions/" + SessionID: func() string {
			active, state := 0, "online"
			if s.active() {
				active, state = 1, "active"
			}
			return fmt.Sprintf("UID=%d\nUSER=%d\nACTIVE=%d\nIS_DISPLAY=1\nSTATE=%s\nREMOTE=0\nTYPE=%s\nCLASS=user\nSEAT=%s\nTTY=tty%d\nVTNR=%d\nLEADER=%d\n",
				uid, uid, active, state, s.sessionType(), seat.Name, vtNumber, vtNumber, os.Getpid())
		},
		"/run/systemd/seats/" + seat.Name: func() string {
			return fmt.Sprintf("IS_SEAT0=1\nCAN_MULTI_SESSION=1\nCAN_TTY=1\nCAN_GRAPHICAL=1\nACTIVE=%s\nACTIVE_UID=%d\nSESSIONS=%s\nUIDS=%d\n", SessionID, uid, SessionID, uid)
		},
		fmt.Sprintf("/run/systemd/users/%d", uid): func() string {
			return fmt.Sprintf("NAME=%d\nSTATE=active\nDISPLAY=%s\nSESSIONS=%s\nACTIVE_SESSIONS=%s\nONLINE_SESSIONS=%s\nSEATS=%s\nACTIVE_SEATS=%s\nONLINE_SEATS=%s\n",
				uid, SessionID, SessionID, SessionID, SessionID, seat.Name, seat.Name, seat.Name)
		},
	}
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
			s.log.Error(fmt.Sprintf("login1: accepting connections, which ends now: %v", err))
			return
		}
		c := &conn{server: s, socket: socket}
		if err := s.add(c); err != nil {
			s.log.Warn(fmt.Sprintf("login1: a connection is refused: %v", err))
			_ = socket.Close()
		}
	}
}

// add begins to serve a connection.
func (s *Server) add(c *conn) (err error) {
	if c.peer, err = credentials(c.socket); err != nil {
		return err
	}
	ended, err := s.limit.Add(int(c.peer.Pid))
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
	s.lastName++
	c.name = fmt.Sprintf(":1.%d", s.lastName)
	s.ended.Go(func() {
		defer ended()
		c.serve()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.conns, c)
	})
	return nil
}

// credentials returns the process at the other end of a socket.
func credentials(c *net.UnixConn) (cred *unix.Ucred, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	controlErr := raw.Control(func(fd uintptr) {
		cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	return cred, errors.Join(controlErr, err)
}

// active reports whether the session is active.
func (s *Server) active() bool {
	s.mu.Lock()
	controller := s.controller
	shown := controller != nil && controller.shown
	s.mu.Unlock()
	if controller != nil {
		return shown
	}
	return !s.seat.Status().Paused
}

func (s *Server) sessionType() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.kind
}
