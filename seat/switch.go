package seat

import (
	"context"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// Front returns the number of the terminal in the foreground.
func (s *Seat) Front() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.front
}

// AwaitFront waits until the terminal with that number is in the foreground, and
// returns nil then, or the error of the context.
func (s *Seat) AwaitFront(ctx context.Context, number int) error {
	for {
		s.mu.Lock()
		front, changed := s.front, s.changed
		s.mu.Unlock()
		if front == number {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// show brings a terminal to the foreground. The caller holds mu.
func (s *Seat) show(number int) {
	if s.front != number {
		s.front = number
		close(s.changed)
		s.changed = make(chan struct{})
	}
}

// activate makes a session active if the seat has none. The caller holds mu.
// activate releases it while the session gets its cards.
func (s *Seat) activate() {
	for s.active == nil {
		if s.away {
			s.show(s.empty)
		}
		if s.away || len(s.sessions) == 0 {
			return
		}
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
		s.show(c.number)
		s.log.Info(fmt.Sprintf("seat: session %d is active", c.number))
		c.client.Enable()
	}
}

// disable takes the cards away from the active session. The caller holds mu.
// disable releases it meanwhile.
func (s *Seat) disable() {
	c := s.active
	if c != nil && c.state == disabling && c.bound {
		c.client.Disable() // again: the process may have missed it, as Xorg does early
	}
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
// is the master of a card that it has from the seat, and the session that was
// active is told so. Inside a request of the seat itself, Pause does not wait for
// that. Pausing again asks a session on a terminal once more, and does nothing
// else.
func (s *Seat) Pause() { s.SwitchTo(emptyTerminal) }

// SwitchTo switches to the terminal with that number, from 1 to [Terminals]. Its
// session becomes active. If it has none, [Seat.Resume] switches back, and the
// next session gets this terminal and becomes active.
func (s *Seat) SwitchTo(number int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.switchTo(number)
}

// switchTo is SwitchTo. The caller holds mu.
func (s *Seat) switchTo(number int) {
	c := s.session(number)
	switch {
	case c != nil && c == s.active:
		return
	case c != nil:
		s.away, s.next = false, c
	default:
		s.away, s.empty = true, number
		if s.next == nil && s.active != nil && s.active.state != closed {
			s.next = s.active
		}
	}
	s.disable()
	s.activate()
}

// session returns the session of a terminal, or nil. The caller holds mu.
func (s *Seat) session(number int) *Session {
	i := slices.IndexFunc(s.sessions, func(c *Session) bool { return c.number == number })
	if i < 0 {
		return nil
	}
	return s.sessions[i]
}

// Resume switches back to the session that was active before [Seat.Pause], or
// before a switch to a terminal without a session. If
// the session has not given its cards back yet, it becomes active as soon as it
// does. Without such a switch before, Resume does nothing.
func (s *Seat) Resume() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = false
	s.activate()
}

// Switch is [Seat.SwitchTo] by a session. EPERM unless this session is active, and EINVAL for numbers below 1.
func (c *Session) Switch(number int) error {
	s := c.seat
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case c.state != active:
		return fmt.Errorf("seat: session %d switches to %d while it is not active: %w", c.number, number, unix.EPERM)
	case number < 1:
		return fmt.Errorf("seat: session %d switches to %d: terminals are numbered from 1: %w", c.number, number, unix.EINVAL)
	case number > Terminals:
		number = emptyTerminal
	}
	s.switchTo(number)
	return nil
}
