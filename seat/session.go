package seat

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// A state is that of a session.
type state int

const (
	waiting   state = iota // it was not active yet, or has given its cards back
	entering               // it is getting its cards
	active                 // it may use its cards
	leaving                // its cards are being taken away
	disabling              // it has lost its cards, and has not answered yet
	closed
)

func (s state) String() string {
	return [...]string{"inactive", "activating", "active", "deactivating", "leaving", "ended"}[s]
}

// A Session is the share of one client in a seat.
type Session struct {
	seat   *Seat
	client Client
	pid    int
	number int  // of the terminal, from 1
	bound  bool // to a terminal that the process has opened

	// Guarded by Seat.mu.
	state   state
	devices map[int32]*device
	opening int // devices that are being opened
}

// MaxSessions is the number of sessions of a seat: one for each terminal but the
// empty one.
const MaxSessions = Terminals - 1

// NewSession adds a session for a process. It is active after Start at the
// earliest. EMFILE if the seat has too many sessions.
func (s *Seat) NewSession(client Client, pid int) (*Session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.sessions) >= MaxSessions {
		return nil, fmt.Errorf("seat: a session for process %d: the seat has %d sessions already: %w", pid, MaxSessions, unix.EMFILE)
	}
	number := s.front
	if s.active != nil || number == emptyTerminal || s.session(number) != nil {
		for number = 1; s.session(number) != nil; {
			number++
		}
	}
	return s.newSession(client, pid, number), nil
}

// NewSessionOn adds a session for a process that has opened the terminal with
// that number itself. It becomes active by Start only if that terminal is in the
// foreground. EBUSY if the terminal has a session.
func (s *Seat) NewSessionOn(client Client, pid, number int) (*Session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.session(number) != nil {
		return nil, fmt.Errorf("seat: a session for process %d: terminal %d has one already: %w", pid, number, unix.EBUSY)
	}
	c := s.newSession(client, pid, number)
	c.bound = true
	return c, nil
}

// newSession adds a session. The caller holds mu.
func (s *Seat) newSession(client Client, pid, number int) *Session {
	c := &Session{seat: s, client: client, pid: pid, number: number, devices: make(map[int32]*device)}
	s.sessions = append(s.sessions, c)
	s.log.Info(fmt.Sprintf("seat: session %d of process %d", number, pid))
	return c
}

// HasSession reports whether a terminal has a session.
func (s *Seat) HasSession(number int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.session(number) != nil
}

// Start makes the session active if no other one is, and if the terminal in the
// foreground is not to stay empty.
func (c *Session) Start() {
	s := c.seat
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.active == nil && c.number == s.front && c.state == waiting:
		s.away, s.next = false, c
	case c.bound:
		return
	}
	s.activate()
}

// Disabled says that the client has heard [Client.Disable], and uses its devices
// no more until [Client.Enable]. EBUSY if it was not asked to.
func (c *Session) Disabled() error {
	s := c.seat
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.state != disabling {
		return fmt.Errorf("seat: session %d says that it is disabled, and was not asked to be: %w", c.number, unix.EBUSY)
	}
	c.state = waiting
	s.active = nil
	s.activate()
	return nil
}

// Refuse says that the client does not give its cards back, as it was asked to by
// [Client.Disable]. It stays active. EBUSY if it was not asked to.
func (c *Session) Refuse() error {
	s := c.seat
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.state != disabling {
		return fmt.Errorf("seat: session %d refuses a switch, and was not asked for one: %w", c.number, unix.EBUSY)
	}
	s.log.Info(fmt.Sprintf("seat: session %d refuses the switch", c.number))
	c.state, s.next, s.away = active, nil, false
	s.change(c, (*Seat).give)
	if c.state != active {
		s.change(c, (*Seat).take)
	}
	return nil
}

// Close ends the session, and makes another one active. Closing again does
// nothing.
func (c *Session) Close() {
	s := c.seat
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.state == closed {
		return
	}
	c.state = closed
	s.sessions = slices.DeleteFunc(s.sessions, func(other *Session) bool { return other == c })
	if s.next == c {
		s.next = nil
	}
	s.change(c, (*Seat).take) // before another session gets the cards
	s.log.Info(fmt.Sprintf("seat: session %d has ended", c.number))
	if s.active == c {
		s.active = nil
		s.activate()
	}
}
