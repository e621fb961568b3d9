package login1

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"

	"github.com/udrm/udrm/seat"
	"github.com/udrm/udrm/seat/socket"
)

// SessionID is the identifier of the session.
const SessionID = "udrm1"

// vtNumber is the virtual terminal that the session seems to have.
const vtNumber = 1

// A Server serves a seat on a socket.
type Server struct {
	seat   *seat.Seat
	log    *slog.Logger
	socket *socket.Server
	guid   string

	mu         sync.Mutex
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
		seat: s, log: log, guid: hex.EncodeToString(guid[:]),
		conns: make(map[*conn]struct{}), kind: "wayland",
	}
	server.socket = socket.Serve(l, "login1", log, server.serve)
	return server
}

func (s *Server) serve(client *socket.Conn) error {
	c := &conn{Conn: client, server: s}
	s.mu.Lock()
	s.lastName++
	c.name = fmt.Sprintf(":1.%d", s.lastName)
	s.conns[c] = struct{}{}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.conns, c)
	}()
	return c.serve()
}

// Environ returns the variables that make programs use the server.
func (s *Server) Environ() []string {
	return []string{
		"DBUS_SYSTEM_BUS_ADDRESS=unix:path=" + s.socket.Path(),
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
func (s *Server) Close() error { return s.socket.Close() }

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
