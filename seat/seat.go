package seat

import (
	"log/slog"
	"slices"
	"sync"
)

// Name is the name of each seat.
const Name = "seat0"

// Terminals is the number of virtual terminals, as in Linux.
const Terminals = 63

// emptyTerminal is where nothing runs: no session gets its number by itself.
const emptyTerminal = Terminals

// A Client is told when its session becomes active or inactive.
type Client interface {
	// Enable says that the session is active. It may open and use devices.
	Enable()
	// Disable says that the session has lost its cards. The client answers by
	// [Session.Disabled].
	Disable()
}

// A Seat is a set of sessions, one of which is active. All methods may be called
// concurrently.
type Seat struct {
	open Opener
	log  *slog.Logger

	mu       sync.Mutex
	sessions []*Session    // oldest first
	active   *Session      // entering to disabling; nil: none
	next     *Session      // to be active next; nil: the oldest
	away     bool          // a terminal without a session is to be in the foreground
	empty    int           // the number of that terminal
	front    int           // the number of the terminal in the foreground
	changed  chan struct{} // closed when front changes
}

// New returns a seat without sessions. A nil log discards what happens.
func New(open Opener, log *slog.Logger) *Seat {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Seat{open: open, log: log, front: 1, changed: make(chan struct{})}
}

// A Status describes a seat as it is now.
type Status struct {
	Paused   bool
	Sessions []SessionStatus // in the order of their numbers
}

// A SessionStatus describes a session as it is now.
type SessionStatus struct {
	Number  int
	PID     int
	State   string   // inactive, activating, active, deactivating, leaving
	Devices []string // the paths of its devices, sorted
}

// Status returns what the seat is doing.
func (s *Seat) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := Status{Paused: s.away}
	for _, c := range s.sessions {
		one := SessionStatus{Number: c.number, PID: c.pid, State: c.state.String()}
		for _, d := range c.devices {
			one.Devices = append(one.Devices, d.path)
		}
		slices.Sort(one.Devices)
		st.Sessions = append(st.Sessions, one)
	}
	slices.SortFunc(st.Sessions, func(a, b SessionStatus) int { return a.Number - b.Number })
	return st
}
