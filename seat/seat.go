package seat

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Limits of what clients can make a seat hold.
const (
	MaxSessions = 64
	MaxDevices  = 128 // of a session, as seatd has it
)

// Name is the name of each seat.
const Name = "seat0"

// A Device is a node of a card that is open for a session.
type Device interface {
	SetMaster() error
	DropMaster() error
	// Descriptor returns another descriptor of the open node. The caller passes
	// it on and closes it.
	Descriptor() (fd int, err error)
}

// An Opener opens the node at path for a session of the process pid. The caller
// passes the descriptor fd on and closes it. Errors wrap an errno.
type Opener func(path string, pid int) (fd int, d Device, err error)

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
	sessions []*Session // oldest first
	active   *Session   // entering to disabling; nil: none
	next     *Session   // to be active next; nil: the oldest
	away     bool       // an empty terminal is in the foreground
}

// New returns a seat without sessions. A nil log discards what happens.
func New(open Opener, log *slog.Logger) *Seat {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Seat{open: open, log: log}
}

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
	number int // of the terminal, from 1

	// Guarded by Seat.mu.
	state   state
	devices map[int32]*device
	opening int // devices that are being opened
}

type device struct {
	Device
	path string
}

// NewSession adds a session for a process. It is active after Start at the
// earliest. EMFILE if the seat has too many sessions.
func (s *Seat) NewSession(client Client, pid int) (*Session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.sessions) >= MaxSessions {
		return nil, fmt.Errorf("seat: a session for process %d: the seat has %d sessions already: %w", pid, MaxSessions, unix.EMFILE)
	}
	number := 1
	for slices.ContainsFunc(s.sessions, func(c *Session) bool { return c.number == number }) {
		number++
	}
	c := &Session{seat: s, client: client, pid: pid, number: number, devices: make(map[int32]*device)}
	s.sessions = append(s.sessions, c)
	s.log.Info(fmt.Sprintf("seat: session %d of process %d", number, pid))
	return c, nil
}

// Number returns the number of the session's terminal.
func (c *Session) Number() int { return c.number }

// Start makes the session active if no other one is.
func (c *Session) Start() {
	c.seat.mu.Lock()
	defer c.seat.mu.Unlock()
	c.seat.activate()
}

// activate makes a session active if the seat has none. The caller holds mu.
// activate releases it while the session gets its cards.
func (s *Seat) activate() {
	for !s.away && s.active == nil && len(s.sessions) > 0 {
		c := s.next
		if c == nil {
			c = s.sessions[0]
		}
		s.next, s.active, c.state = nil, c, entering
		s.change(c, (*Seat).give)
		if c.state != entering || s.away { // it was closed or the seat paused meanwhile
			s.change(c, (*Seat).take)
			if c.state == entering {
				s.next, s.active, c.state = c, nil, waiting
			}
			continue
		}
		c.state = active
		s.log.Info(fmt.Sprintf("seat: session %d is active", c.number))
		c.client.Enable()
	}
}

// change calls one for each device of a session, without mu, which the caller
// holds.
func (s *Seat) change(c *Session, one func(*Seat, *Session, *device)) {
	devices := slices.Collect(maps.Values(c.devices))
	s.mu.Unlock()
	defer s.mu.Lock()
	for _, d := range devices {
		one(s, c, d)
	}
}

// give makes a device the master of its card.
func (s *Seat) give(c *Session, d *device) {
	if err := d.SetMaster(); err != nil {
		s.log.Warn(fmt.Sprintf("seat: session %d does not get %s: %v", c.number, d.path, err))
	}
}

// take takes the mastership away from a device.
func (s *Seat) take(c *Session, d *device) {
	if err := d.DropMaster(); err != nil { // it is unplugged, closed, or was not the master
		s.log.Debug(fmt.Sprintf("seat: session %d, %s: %v", c.number, d.path, err))
	}
}

// disable takes the cards away from the active session. The caller holds mu.
// disable releases it meanwhile.
func (s *Seat) disable() {
	c := s.active
	if c == nil || c.state != active {
		return
	}
	c.state = leaving
	s.change(c, (*Seat).take)
	if c.state != leaving { // it was closed
		return
	}
	c.state = disabling
	s.log.Info(fmt.Sprintf("seat: session %d is inactive", c.number))
	c.client.Disable()
}

// Pause switches to a terminal on which nothing runs. When it returns, no session
// is the master of a card, and the session that was active is told so. Inside a
// request of the seat itself, Pause does not wait for that. Pausing again does
// nothing.
func (s *Seat) Pause() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pause()
}

func (s *Seat) pause() {
	if s.away {
		return
	}
	s.away = true
	if s.next == nil && s.active != nil && s.active.state != closed {
		s.next = s.active
	}
	s.disable()
}

// Resume switches back to the session that was active before [Seat.Pause]. If
// the session has not given its cards back yet, it becomes active as soon as it
// does. Without Pause before, Resume does nothing.
func (s *Seat) Resume() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = false
	s.activate()
}

// Revoke takes the mastership of its cards away from the active session and does
// not tell it. [Seat.Restore] gives it back.
func (s *Seat) Revoke() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.active != nil {
		s.change(s.active, (*Seat).take)
	}
}

// Restore gives the active session the mastership of its cards back, after
// [Seat.Revoke].
func (s *Seat) Restore() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.active; c != nil && c.state == active {
		s.change(c, (*Seat).give)
		if c.state != active {
			s.change(c, (*Seat).take)
		}
	}
}

// Actions are the names of what a seat can be told to do, for [Seat.Do].
var Actions = []string{"pause", "resume", "revoke", "restore"}

// CheckAction returns an error if Do does not know an action.
func CheckAction(action string) error {
	if !slices.Contains(Actions, action) {
		return fmt.Errorf("%q is not an action of a seat; write %s", action, strings.Join(Actions, ", "))
	}
	return nil
}

// Do calls the method with that name.
func (s *Seat) Do(action string) error {
	switch action {
	case "pause":
		s.Pause()
	case "resume":
		s.Resume()
	case "revoke":
		s.Revoke()
	case "restore":
		s.Restore()
	}
	return CheckAction(action)
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

// Switch makes another session active, or pauses the seat if no session has that
// number. EPERM unless this session is active, and EINVAL for numbers below 1.
func (c *Session) Switch(number int) error {
	s := c.seat
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case c.state != active:
		return fmt.Errorf("seat: session %d switches to %d while it is not active: %w", c.number, number, unix.EPERM)
	case number < 1:
		return fmt.Errorf("seat: session %d switches to %d: terminals are numbered from 1: %w", c.number, number, unix.EINVAL)
	case number == c.number:
		return nil
	}
	i := slices.IndexFunc(s.sessions, func(other *Session) bool { return other.number == number })
	if i < 0 {
		s.pause()
		return nil
	}
	s.next = s.sessions[i]
	s.disable()
	return nil
}

// An Opened is a device that a session has just opened.
type Opened struct {
	Device
	FD     int   // the caller passes it on to the client and closes it
	ID     int32 // for [Session.CloseDevice]
	Active bool  // the session is active
}

// OpenDevice opens the node of a card for an active session. EPERM unless it is
// active, EMFILE if it has too many devices.
func (c *Session) OpenDevice(path string) (Opened, error) { return c.openDevice(path, true) }

// TakeDevice is OpenDevice for a session that need not be active. Its device is
// not the master of the card until it is.
func (c *Session) TakeDevice(path string) (Opened, error) { return c.openDevice(path, false) }

func (c *Session) openDevice(path string, needsActive bool) (Opened, error) {
	if err := c.beginOpen(path, needsActive); err != nil {
		return Opened{}, err
	}
	s := c.seat
	fd, opened, err := s.open(path, c.pid)
	s.mu.Lock()
	defer s.mu.Unlock()
	c.opening--
	if err != nil {
		return Opened{}, err
	}
	d := &device{opened, path}
	id := int32(1)
	for other := range c.devices {
		id = max(id, other+1)
	}
	if c.state != closed {
		c.devices[id] = d
	}
	one := func(do func(*Seat, *Session, *device)) {
		s.mu.Unlock()
		defer s.mu.Lock()
		do(s, c, d)
	}
	if c.state == active {
		one((*Seat).give)
	}
	if c.state != active && c.state != entering { // the first that opens a card is its master
		one((*Seat).take)
	}
	if c.state == closed {
		_ = unix.Close(fd)
		return Opened{}, fmt.Errorf("seat: opening %q: session %d has ended: %w", path, c.number, unix.EPERM)
	}
	s.log.Debug(fmt.Sprintf("seat: session %d has %s open as device %d", c.number, path, id))
	return Opened{Device: opened, FD: fd, ID: id, Active: c.state == active}, nil
}

func (c *Session) beginOpen(path string, needsActive bool) error {
	c.seat.mu.Lock()
	defer c.seat.mu.Unlock()
	switch {
	case c.state == closed, c.state != active && needsActive:
		return fmt.Errorf("seat: opening %q: session %d is not active: %w", path, c.number, unix.EPERM)
	case len(c.devices)+c.opening >= MaxDevices:
		return fmt.Errorf("seat: opening %q: session %d has %d devices already: %w", path, c.number, MaxDevices, unix.EMFILE)
	}
	c.opening++
	return nil
}

// CloseDevice takes the mastership away from a device and forgets it. The client
// closes its descriptors itself. EBADF if the session has no such device.
func (c *Session) CloseDevice(id int32) error {
	s := c.seat
	s.mu.Lock()
	d := c.devices[id]
	delete(c.devices, id)
	s.mu.Unlock()
	if d == nil {
		return fmt.Errorf("seat: session %d has no device %d: %w", c.number, id, unix.EBADF)
	}
	s.take(c, d)
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
