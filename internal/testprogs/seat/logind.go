package main

import (
	"fmt"
	"os"

	"github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"
)

// A logind is a session of logind.
type logind struct {
	bus     *dbus.Conn
	session dbus.BusObject
	events  chan bool
	devices map[int32]uint64
	lastID  int32
}

const (
	login1           = "org.freedesktop.login1"
	sessionInterface = login1 + ".Session"
)

func openLogind() (session, error) {
	bus, err := dbus.Connect(os.Getenv("DBUS_SYSTEM_BUS_ADDRESS"))
	if err != nil {
		return nil, err
	}
	l := &logind{bus: bus, events: make(chan bool, 16), devices: make(map[int32]uint64)}
	var path dbus.ObjectPath
	manager := bus.Object(login1, "/org/freedesktop/login1")
	if err := manager.Call(login1+".Manager.GetSession", 0, os.Getenv("XDG_SESSION_ID")).Store(&path); err != nil {
		return nil, err
	}
	l.session = bus.Object(login1, path)
	signals := make(chan *dbus.Signal, 16)
	bus.Signal(signals)
	if err := bus.AddMatchSignal(dbus.WithMatchObjectPath(path)); err != nil {
		return nil, err
	}
	if err := l.call("TakeControl", false).Err; err != nil {
		return nil, err
	}
	active, err := l.session.GetProperty(sessionInterface + ".Active")
	if err != nil {
		return nil, err
	}
	if active.Value() == true {
		l.events <- true
	}
	go l.listen(signals)
	return l, nil
}

// listen turns signals into events, and says which devices are gone.
func (l *logind) listen(signals <-chan *dbus.Signal) {
	for s := range signals {
		if s.Name == sessionInterface+".PauseDevice" && len(s.Body) == 3 && s.Body[2] == "gone" {
			fmt.Printf("gone %d:%d\n", s.Body[0], s.Body[1])
		}
		if s.Name != "org.freedesktop.DBus.Properties.PropertiesChanged" || len(s.Body) < 2 {
			continue
		}
		changed, _ := s.Body[1].(map[string]dbus.Variant)
		if active, ok := changed["Active"].Value().(bool); ok {
			l.events <- active
		}
	}
	close(l.events)
}

func (l *logind) call(method string, args ...any) *dbus.Call {
	return l.session.Call(sessionInterface+"."+method, 0, args...)
}

func (l *logind) Events() <-chan bool { return l.events }

func (l *logind) OpenDevice(path string) (fd int, id int32, err error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return -1, 0, err
	}
	var given dbus.UnixFD
	var inactive bool
	if err := l.call("TakeDevice", unix.Major(st.Rdev), unix.Minor(st.Rdev)).Store(&given, &inactive); err != nil {
		return -1, 0, err
	}
	if inactive {
		return -1, 0, fmt.Errorf("%s is inactive", path)
	}
	l.lastID++
	l.devices[l.lastID] = st.Rdev
	return int(given), l.lastID, nil
}

func (l *logind) CloseDevice(id int32) error {
	rdev := l.devices[id]
	return l.call("ReleaseDevice", unix.Major(rdev), unix.Minor(rdev)).Err
}

func (l *logind) Disabled() error { return nil }

func (l *logind) Switch(number int) error {
	seat := l.bus.Object(login1, "/org/freedesktop/login1/seat/seat0")
	return seat.Call(login1+".Seat.SwitchTo", 0, uint32(number)).Err
}

func (l *logind) Close() error {
	if err := l.call("ReleaseControl").Err; err != nil {
		return err
	}
	return l.bus.Close()
}
