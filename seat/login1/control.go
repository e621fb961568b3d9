package login1

import (
	"fmt"

	"github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/seat"
)

// drmMajor is the major number of the nodes of cards, the only devices.
const drmMajor = 226

// A control is the client that has taken control of the session.
type control struct {
	conn    *conn
	session *seat.Session

	// Guarded by Server.mu.
	shown   bool // the session is active, as the client was told
	devices map[uint32]seat.Opened
	taking  map[uint32]*taking // by minor
	ended   bool
}

// A taking is a device that is being opened.
type taking struct{ gone bool }

// control returns the client of the call as the one that has control.
func (in *call) control() (*control, error) {
	s := in.conn.server
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.controller == nil || s.controller.conn != in.conn {
		return nil, refuse(notInControl, "%s without control of the session; call TakeControl first", in.member)
	}
	return s.controller, nil
}

func takeControl(in *call) ([]any, error) {
	s := in.conn.server
	now := s.seat.Status()
	shown := !now.Paused && len(now.Sessions) == 0 // it becomes active with the answer
	k := &control{conn: in.conn, shown: shown, devices: make(map[uint32]seat.Opened), taking: make(map[uint32]*taking)}
	s.mu.Lock()
	if other := s.controller; other != nil {
		s.mu.Unlock()
		if other.conn == in.conn {
			return nil, nil
		}
		return nil, fmt.Errorf("TakeControl: process %d has control of the session: %w", other.conn.PID(), unix.EBUSY)
	}
	s.controller = k
	s.mu.Unlock()
	session, err := s.seat.NewSession(k, in.conn.PID())
	if err != nil {
		s.mu.Lock()
		s.controller = nil
		s.mu.Unlock()
		return nil, err
	}
	k.session = session
	in.after = append(in.after, session.Start)
	return nil, nil
}

func releaseControl(in *call) ([]any, error) {
	if _, err := in.control(); err != nil {
		return nil, err
	}
	in.conn.server.release(in.conn)
	return nil, nil
}

// release ends the control that a client has.
func (s *Server) release(c *conn) {
	s.mu.Lock()
	k := s.controller
	if k == nil || k.conn != c {
		s.mu.Unlock()
		return
	}
	k.ended = true
	s.controller = nil
	s.mu.Unlock()
	if k.session != nil {
		k.session.Close()
	}
}

func takeDevice(in *call) ([]any, error) {
	k, err := in.control()
	if err != nil {
		return nil, err
	}
	var major, minor uint32
	if err := in.args(&major, &minor); err != nil {
		return nil, err
	}
	if major != drmMajor {
		return nil, fmt.Errorf("TakeDevice %d:%d: this seat has only cards, of the number %d: %w", major, minor, drmMajor, unix.ENODEV)
	}
	s := in.conn.server
	now := &taking{}
	s.mu.Lock()
	_, taken := k.devices[minor]
	if taken = taken || k.taking[minor] != nil; !taken {
		k.taking[minor] = now
	}
	s.mu.Unlock()
	if taken {
		return nil, refuse(deviceTaken, "TakeDevice %d:%d: the session has it already", major, minor)
	}
	opened, err := k.session.TakeDevice(fmt.Sprintf("/dev/char/%d:%d", major, minor))
	s.mu.Lock()
	delete(k.taking, minor)
	gone := now.gone
	if err == nil && !gone {
		k.devices[minor] = opened
	}
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if gone {
		_ = k.session.CloseDevice(opened.ID) // fails if the session has ended
		_ = unix.Close(opened.FD)
		return nil, fmt.Errorf("TakeDevice %d:%d: the card was unplugged meanwhile: %w", major, minor, unix.ENODEV)
	}
	in.fds = append(in.fds, opened.FD)
	return []any{dbus.UnixFD(opened.FD), !opened.Active}, nil
}

func releaseDevice(in *call) ([]any, error) {
	k, err := in.control()
	if err != nil {
		return nil, err
	}
	var major, minor uint32
	if err := in.args(&major, &minor); err != nil {
		return nil, err
	}
	s := in.conn.server
	s.mu.Lock()
	opened, taken := k.devices[minor]
	if major != drmMajor {
		taken = false
	}
	if taken {
		delete(k.devices, minor)
	}
	s.mu.Unlock()
	if !taken {
		return nil, refuse(deviceNotTaken, "ReleaseDevice %d:%d: the session does not have it", major, minor)
	}
	return nil, k.session.CloseDevice(opened.ID)
}

// activate switches back to the session. A client without control may do so, as
// a user who presses keys may.
func activate(in *call) ([]any, error) {
	in.after = append(in.after, in.conn.server.seat.Resume)
	return nil, nil
}

func switchTo(in *call) ([]any, error) {
	var vt uint32
	if err := in.args(&vt); err != nil {
		return nil, err
	}
	switch s := in.conn.server.seat; {
	case vt < 1:
		return nil, fmt.Errorf("SwitchTo %d: terminals are numbered from 1: %w", vt, unix.EINVAL)
	case vt == vtNumber:
		in.after = append(in.after, s.Resume)
	default:
		in.after = append(in.after, s.Pause)
	}
	return nil, nil
}

func setType(in *call) ([]any, error) {
	if _, err := in.control(); err != nil {
		return nil, err
	}
	var kind string
	if err := in.args(&kind); err != nil {
		return nil, err
	}
	switch kind {
	case "unspecified", "tty", "x11", "wayland", "mir", "web":
	default:
		return nil, fmt.Errorf("SetType %q: there is no such type: %w", kind, unix.EINVAL)
	}
	s := in.conn.server
	s.mu.Lock()
	s.kind = kind
	s.mu.Unlock()
	in.after = append(in.after, func() { s.changed(map[string]any{"Type": kind}) })
	return nil, nil
}

// Enable implements seat.Client.
func (k *control) Enable() { k.set(true) }

// Disable implements seat.Client. The client gets its devices back without
// asking: it was told, and there is nothing to wait for.
func (k *control) Disable() {
	k.set(false)
	go func() { _ = k.session.Disabled() }()
}

// set tells the client that the session is active or not, with the state of its
// devices first.
func (k *control) set(active bool) {
	s := k.conn.server
	s.mu.Lock()
	if k.ended {
		s.mu.Unlock()
		return
	}
	for minor, opened := range k.devices { // the client has them, so it takes descriptors
		if !active {
			k.conn.signal(sessionInterface, "PauseDevice", uint32(drmMajor), minor, "force")
			continue
		}
		fd, err := opened.Descriptor()
		if err != nil {
			continue // the client has closed it
		}
		k.conn.signal(sessionInterface, "ResumeDevice", uint32(drmMajor), minor, dbus.UnixFD(fd))
		_ = unix.Close(fd)
	}
	changed := k.shown != active
	k.shown = active
	s.mu.Unlock()
	if changed {
		s.changed(map[string]any{"Active": active, "State": stateOf(active)})
	}
}

// Gone tells the client that has control that the card with a minor number is
// unplugged, if it has taken it. It can take one of the same number later.
func (s *Server) Gone(minor int) {
	s.mu.Lock()
	k := s.controller
	if k == nil {
		s.mu.Unlock()
		return
	}
	if now := k.taking[uint32(minor)]; now != nil {
		now.gone = true
	}
	opened, taken := k.devices[uint32(minor)]
	if taken {
		delete(k.devices, uint32(minor))
		k.conn.signal(sessionInterface, "PauseDevice", uint32(drmMajor), uint32(minor), "gone")
	}
	s.mu.Unlock()
	if taken {
		_ = k.session.CloseDevice(opened.ID) // fails if the session has ended
	}
}

// changed tells all clients that asked for signals that properties of the session
// have changed.
func (s *Server) changed(properties map[string]any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.mu.Lock()
		listens := c.hello && c.matches > 0
		c.mu.Unlock()
		if listens {
			c.signal(propertyInterface, "PropertiesChanged", sessionInterface, variants(properties), []string{})
		}
	}
}
