package login1

import (
	"fmt"
	"os"
	"slices"

	"github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/seat"
)

// Paths of objects.
const (
	managerPath = dbus.ObjectPath("/org/freedesktop/login1")
	sessionPath = managerPath + "/session/" + SessionID
	seatPath    = managerPath + "/seat/" + seat.Name
)

// Interfaces of objects.
const (
	managerInterface  = serviceName + ".Manager"
	sessionInterface  = serviceName + ".Session"
	seatInterface     = serviceName + ".Seat"
	userInterface     = serviceName + ".User"
	propertyInterface = "org.freedesktop.DBus.Properties"
)

// userPath returns the path of a user.
func userPath(uid uint32) dbus.ObjectPath {
	return dbus.ObjectPath(fmt.Sprintf("%s/user/_%d", managerPath, uid))
}

// An object is what a path of the service stands for.
type object struct {
	iface      string
	methods    map[string]func(*call) ([]any, error)
	properties func(*call) map[string]dbus.Variant
}

var (
	managerObject = &object{managerInterface, managerMethods, managerProperties}
	sessionObject = &object{sessionInterface, sessionMethods, sessionProperties}
	seatObject    = &object{seatInterface, seatMethods, seatProperties}
	userObject    = &object{userInterface, nil, userProperties}
)

// objectAt returns the object of a path, or nil.
func (in *call) objectAt() *object {
	switch in.path {
	case managerPath:
		return managerObject
	case sessionPath, managerPath + "/session/self", managerPath + "/session/auto":
		return sessionObject
	case seatPath, managerPath + "/seat/self", managerPath + "/seat/auto":
		return seatObject
	case userPath(in.conn.UID()), managerPath + "/user/self":
		return userObject
	}
	return nil
}

// serveObject answers a call to an object of the service.
func (in *call) serveObject() ([]any, error) {
	o := in.objectAt()
	switch {
	case o == nil:
		return nil, refuse(unknownObject, "there is no object %q", in.path)
	case in.iface == "org.freedesktop.DBus.Introspectable" && in.member == "Introspect":
		return []any{o.introspect()}, nil
	case in.iface == propertyInterface:
		return in.serveProperties(o)
	case in.iface != "" && in.iface != o.iface, o.methods[in.member] == nil:
		return nil, in.unknown()
	}
	return o.methods[in.member](in)
}

// introspect returns the names of the methods. Nobody asks for their types.
func (o *object) introspect() string {
	text := "<node><interface name=\"" + o.iface + "\">"
	var names []string
	for name := range o.methods {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		text += "<method name=\"" + name + "\"/>"
	}
	return text + "</interface><interface name=\"" + propertyInterface + "\"/></node>"
}

func (in *call) serveProperties(o *object) ([]any, error) {
	var iface, name string
	if err := in.args(&iface); err != nil {
		return nil, err
	}
	properties := map[string]dbus.Variant{}
	if iface == o.iface || iface == "" {
		properties = o.properties(in)
	}
	switch in.member {
	case "GetAll":
		return []any{properties}, nil
	case "Get":
		if err := in.args(&iface, &name); err != nil {
			return nil, err
		}
		value, ok := properties[name]
		if !ok {
			return nil, refuse(unknownValue, "%s has no property %s.%s", in.path, iface, name)
		}
		return []any{value}, nil
	case "Set":
		return nil, refuse(accessDenied, "properties of %s cannot be set", in.path)
	}
	return nil, in.unknown()
}

// A named is a name with the path of its object.
type named struct {
	Name string
	Path dbus.ObjectPath
}

// A listed is an entry of ListSessions.
type listed struct {
	ID   string
	UID  uint32
	User string
	Seat string
	Path dbus.ObjectPath
}

// userName returns the name that stands for the user of the client.
func (in *call) userName() string { return fmt.Sprint(in.conn.UID()) }

func answer(results ...any) func(*call) ([]any, error) {
	return func(*call) ([]any, error) { return results, nil }
}

var managerMethods = map[string]func(*call) ([]any, error){
	"GetSession":      answer(sessionPath),
	"GetSessionByPID": answer(sessionPath),
	"GetSeat": func(in *call) ([]any, error) {
		var name string
		if err := in.args(&name); err != nil {
			return nil, err
		}
		if name != seat.Name && name != "self" && name != "auto" && name != "" {
			return nil, refuse(noSuchSeat, "there is no seat %q", name)
		}
		return []any{seatPath}, nil
	},
	"GetUser":      func(in *call) ([]any, error) { return []any{userPath(in.conn.UID())}, nil },
	"GetUserByPID": func(in *call) ([]any, error) { return []any{userPath(in.conn.UID())}, nil },
	"ListSessions": func(in *call) ([]any, error) {
		return []any{[]listed{{SessionID, in.conn.UID(), in.userName(), seat.Name, sessionPath}}}, nil
	},
	"ListSeats": answer([]named{{seat.Name, seatPath}}),
	"ListUsers": func(in *call) ([]any, error) {
		type user struct {
			UID  uint32
			Name string
			Path dbus.ObjectPath
		}
		return []any{[]user{{in.conn.UID(), in.userName(), userPath(in.conn.UID())}}}, nil
	},
	"Inhibit": func(in *call) ([]any, error) {
		var fds [2]int
		if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
			return nil, err
		}
		in.fds = fds[:]
		return []any{dbus.UnixFD(fds[1])}, nil
	},
	"ListInhibitors": answer([]struct {
		What, Who, Why, Mode string
		UID, PID             uint32
	}{}),
	"ActivateSession":         activate,
	"ActivateSessionOnSeat":   activate,
	"LockSession":             answer(),
	"UnlockSession":           answer(),
	"CanPowerOff":             answer("na"),
	"CanReboot":               answer("na"),
	"CanHalt":                 answer("na"),
	"CanSuspend":              answer("na"),
	"CanHibernate":            answer("na"),
	"CanHybridSleep":          answer("na"),
	"CanSuspendThenHibernate": answer("na"),
}

func managerProperties(*call) map[string]dbus.Variant {
	return variants(map[string]any{
		"IdleHint": false, "IdleSinceHint": uint64(0), "IdleSinceHintMonotonic": uint64(0),
		"BlockInhibited": "", "DelayInhibited": "", "InhibitDelayMaxUSec": uint64(5e6), "NCurrentInhibitors": uint64(0),
		"OnExternalPower": true, "LidClosed": false, "Docked": false,
		"PreparingForShutdown": false, "PreparingForSleep": false, "NCurrentSessions": uint64(1),
	})
}

var sessionMethods = map[string]func(*call) ([]any, error){
	"Activate":            activate,
	"TakeControl":         takeControl,
	"ReleaseControl":      releaseControl,
	"TakeDevice":          takeDevice,
	"ReleaseDevice":       releaseDevice,
	"PauseDeviceComplete": func(in *call) ([]any, error) { _, err := in.control(); return nil, err },
	"SetType":             setType,
	"SetClass":            answer(),
	"SetDisplay":          answer(),
	"SetTTY":              answer(),
	"SetIdleHint":         answer(),
	"SetLockedHint":       answer(),
	"Lock":                answer(),
	"Unlock":              answer(),
}

func sessionProperties(in *call) map[string]dbus.Variant {
	s := in.conn.server
	uid := in.conn.UID()
	return variants(map[string]any{
		"Id": SessionID, "Name": in.userName(), "Timestamp": uint64(0), "TimestampMonotonic": uint64(0),
		"User": struct {
			UID  uint32
			Path dbus.ObjectPath
		}{uid, userPath(uid)},
		"Seat": named{seat.Name, seatPath}, "VTNr": uint32(vtNumber), "TTY": fmt.Sprintf("tty%d", vtNumber),
		"Display": "", "Remote": false, "RemoteHost": "", "RemoteUser": "", "Service": "udrm", "Desktop": "", "Scope": "",
		"Leader": uint32(os.Getpid()), "Audit": uint32(0), "Type": s.sessionType(), "Class": "user",
		"Active": s.active(), "State": stateOf(s.active()),
		"IdleHint": false, "IdleSinceHint": uint64(0), "IdleSinceHintMonotonic": uint64(0), "LockedHint": false,
	})
}

// stateOf returns the property State of a session.
func stateOf(active bool) string {
	if active {
		return "active"
	}
	return "online"
}

var seatMethods = map[string]func(*call) ([]any, error){
	"ActivateSession":  activate,
	"SwitchTo":         switchTo,
	"SwitchToNext":     answer(),
	"SwitchToPrevious": answer(),
}

func seatProperties(in *call) map[string]dbus.Variant {
	activeSession := named{SessionID, sessionPath}
	if !in.conn.server.active() {
		activeSession = named{"", "/"}
	}
	return variants(map[string]any{
		"Id": seat.Name, "ActiveSession": activeSession, "Sessions": []named{{SessionID, sessionPath}},
		"CanMultiSession": true, "CanTTY": true, "CanGraphical": true,
		"IdleHint": false, "IdleSinceHint": uint64(0), "IdleSinceHintMonotonic": uint64(0),
	})
}

func userProperties(in *call) map[string]dbus.Variant {
	return variants(map[string]any{
		"UID": in.conn.UID(), "GID": in.conn.GID(), "Name": in.userName(),
		"Display": named{SessionID, sessionPath}, "State": "active", "Sessions": []named{{SessionID, sessionPath}},
		"RuntimePath": "", "IdleHint": false, "Linger": false,
	})
}

func variants(values map[string]any) map[string]dbus.Variant {
	result := make(map[string]dbus.Variant, len(values))
	for name, value := range values {
		result[name] = dbus.MakeVariant(value)
	}
	return result
}
