package seat

import (
	"fmt"
	"maps"
	"slices"

	"golang.org/x/sys/unix"
)

// MaxDevices is the number of devices that a session may have, as in seatd.
const MaxDevices = 128

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

type device struct {
	Device
	path string
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
