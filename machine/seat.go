package machine

import (
	"errors"
	"sync"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/seat"
	"github.com/udrm/udrm/seat/login1"
	"github.com/udrm/udrm/seat/seatd"
	"github.com/udrm/udrm/seat/vt"
)

// A seating is the seat of a machine, and what serves it to programs.
type seating struct {
	seat   *seat.Seat
	dir    *seat.Directory
	seatd  *seatd.Server
	login1 *login1.Server
	vt     *vt.Terminals

	unsubscribe func() // nil before watchCards

	once sync.Once // for close
	err  error
}

// newSeating makes a seat and begins to serve it.
func (m *Machine) newSeating() (*seating, error) {
	dir, err := seat.NewDirectory()
	if err != nil {
		return nil, err
	}
	s := &seating{dir: dir, seat: seat.New(m.openForSeat, m.log)}
	socket, err := dir.Listen()
	if err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	s.seatd = seatd.Serve(socket, s.seat, m.log)
	if socket, err = dir.Listen(); err != nil {
		return nil, errors.Join(err, s.seatd.Close(), dir.Close())
	}
	s.login1 = login1.Serve(socket, s.seat, m.log)
	s.vt = vt.New(s.seat, m.log)
	return s, nil
}

func (m *Machine) openForSeat(path string, pid int) (fd int, d seat.Device, err error) {
	fd, opened, err := m.host.OpenForSeat(seat.Name, path, pid)
	if err != nil {
		return -1, nil, err
	}
	return fd, opened, nil
}

// watchCards tells the clients of the seat which cards are unplugged. The host has
// told the programs by then: it subscribes first.
func (s *seating) watchCards(class *drm.Class) {
	s.unsubscribe = class.Subscribe(func(e drm.Uevent) {
		if e.Action == "remove" && e.Kobject.Minor != nil {
			s.login1.Gone(e.Kobject.Minor.Number())
		}
	})
}

// Seat returns the seat of the machine, or nil if it has none.
func (m *Machine) Seat() *seat.Seat {
	if m.seating == nil {
		return nil
	}
	return m.seating.seat
}

// environ returns the variables that lead programs to the seat.
func (s *seating) environ() []string {
	if s == nil {
		return nil
	}
	return append(s.seatd.Environ(), s.login1.Environ()...)
}

// files returns the virtual files of the seat, by path.
func (s *seating) files() map[string]func() string {
	if s == nil {
		return nil
	}
	return s.login1.Files()
}

// terminals returns the virtual terminals of the seat.
func (s *seating) terminals() *vt.Terminals {
	if s == nil {
		return nil
	}
	return s.vt
}

// close ends the sessions and removes the sockets. It may be called again.
func (s *seating) close() error {
	if s == nil {
		return nil
	}
	s.once.Do(func() {
		if s.unsubscribe != nil {
			s.unsubscribe()
		}
		s.err = errors.Join(s.seatd.Close(), s.login1.Close(), s.vt.Close(), s.dir.Close())
	})
	return s.err
}
