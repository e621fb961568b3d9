package login1

import (
	"errors"
	"fmt"
	"strings"

	"github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"
)

// A call is a method call of a client.
type call struct {
	conn        *conn
	serial      uint32
	destination string
	path        dbus.ObjectPath
	iface       string
	member      string
	body        []any

	fds   []int    // to close when the answer is sent
	after []func() // to call when the answer is sent
}

func newCall(c *conn, m *dbus.Message) *call {
	in := &call{conn: c, serial: m.Serial(), body: m.Body}
	in.destination, _ = m.Headers[dbus.FieldDestination].Value().(string)
	in.path, _ = m.Headers[dbus.FieldPath].Value().(dbus.ObjectPath)
	in.iface, _ = m.Headers[dbus.FieldInterface].Value().(string)
	in.member, _ = m.Headers[dbus.FieldMember].Value().(string)
	return in
}

// sender returns the name of what answers the call.
func (in *call) sender() string {
	if in.destination == serviceName || in.destination == ownerName {
		return ownerName
	}
	return busName
}

// A busError is an error with the name that D-Bus has for it.
type busError struct {
	name string
	text string
}

func (e *busError) Error() string { return e.text }

// Names of errors.
const (
	errorPrefix    = "org.freedesktop.DBus.Error."
	unknownMethod  = errorPrefix + "UnknownMethod"
	unknownObject  = errorPrefix + "UnknownObject"
	unknownService = errorPrefix + "ServiceUnknown"
	noOwner        = errorPrefix + "NameHasNoOwner"
	notSupported   = errorPrefix + "NotSupported"
	invalidArgs    = errorPrefix + "InvalidArgs"
	accessDenied   = errorPrefix + "AccessDenied"
	unknownValue   = errorPrefix + "UnknownProperty"
	notInControl   = serviceName + ".NotInControl"
	deviceTaken    = serviceName + ".DeviceIsTaken"
	deviceNotTaken = serviceName + ".DeviceNotTaken"
	noSuchSeat     = serviceName + ".NoSuchSeat"
)

func refuse(name, format string, args ...any) error {
	return &busError{name, fmt.Sprintf(format, args...)}
}

// errnoNames are the names that sd-bus has for errno values. The others are
// System.Error and the name of the value.
var errnoNames = map[unix.Errno]string{
	unix.EPERM:  accessDenied,
	unix.EACCES: accessDenied,
	unix.EINVAL: invalidArgs,
	unix.ENOENT: errorPrefix + "FileNotFound",
	unix.EIO:    errorPrefix + "IOError",
	unix.ENOMEM: errorPrefix + "NoMemory",
}

// errorName returns the name of an error.
func errorName(err error) string {
	var named *busError
	var errno unix.Errno
	switch {
	case errors.As(err, &named):
		return named.name
	case errors.As(err, &errno) && errnoNames[errno] != "":
		return errnoNames[errno]
	case errors.As(err, &errno):
		return "System.Error." + unix.ErrnoName(errno)
	}
	return errorPrefix + "Failed"
}

// serve answers the call.
func (in *call) serve() ([]any, error) {
	if in.iface == "org.freedesktop.DBus.Peer" {
		return in.servePeer()
	}
	switch in.destination {
	case busName:
		return in.serveBus()
	case serviceName, ownerName:
		return in.serveObject()
	}
	return nil, refuse(unknownService, "this bus has only %s, and not %q", serviceName, in.destination)
}

func (in *call) servePeer() ([]any, error) {
	switch in.member {
	case "Ping":
		return nil, nil
	case "GetMachineId":
		return []any{in.conn.server.guid}, nil
	}
	return nil, in.unknown()
}

func (in *call) unknown() error {
	return refuse(unknownMethod, "%s has no method %s.%s", in.path, in.iface, in.member)
}

// args stores the arguments of the call.
func (in *call) args(values ...any) error {
	if len(in.body) < len(values) {
		return refuse(invalidArgs, "%s takes %d arguments, not %d", in.member, len(values), len(in.body))
	}
	if err := dbus.Store(in.body[:len(values)], values...); err != nil {
		return refuse(invalidArgs, "%s: %v", in.member, err)
	}
	return nil
}

// serveBus answers a call to the bus itself.
func (in *call) serveBus() ([]any, error) {
	c := in.conn
	if in.iface == "org.freedesktop.DBus.Introspectable" {
		return []any{"<node/>"}, nil
	}
	if in.iface != "" && in.iface != busName {
		return nil, in.unknown()
	}
	switch in.member {
	case "Hello":
		return []any{c.name}, nil
	case "AddMatch", "RemoveMatch":
		c.mu.Lock()
		defer c.mu.Unlock()
		if in.member == "AddMatch" {
			c.matches++
		} else if c.matches > 0 {
			c.matches--
		}
		return nil, nil
	case "ListNames":
		return []any{[]string{busName, serviceName, ownerName, c.name}}, nil
	case "ListActivatableNames":
		return []any{[]string{busName, serviceName}}, nil
	case "GetId":
		return []any{c.server.guid}, nil
	case "RequestName":
		return nil, refuse(accessDenied, "this bus gives out no names")
	}
	var name string
	if err := in.args(&name); err != nil {
		return nil, err
	}
	own := strings.HasPrefix(name, ":") && name == c.name
	known := own || name == busName || name == serviceName || name == ownerName
	switch in.member {
	case "NameHasOwner":
		return []any{known}, nil
	case "StartServiceByName":
		if known {
			return []any{uint32(2)}, nil // it runs already
		}
		return nil, refuse(unknownService, "this bus has only %s, and not %q", serviceName, name)
	case "ReleaseName":
		return []any{uint32(2)}, nil // there is no such name
	}
	if !known {
		return nil, refuse(noOwner, "no client has the name %q", name)
	}
	uid, pid := uint32(unix.Geteuid()), uint32(unix.Getpid())
	if own {
		uid, pid = c.UID(), uint32(c.PID())
	}
	switch in.member {
	case "GetNameOwner":
		if name == serviceName {
			name = ownerName
		}
		return []any{name}, nil
	case "ListQueuedOwners":
		return []any{[]string{name}}, nil
	case "GetConnectionUnixUser":
		return []any{uid}, nil
	case "GetConnectionUnixProcessID":
		return []any{pid}, nil
	case "GetConnectionCredentials":
		return []any{map[string]dbus.Variant{"UnixUserID": dbus.MakeVariant(uid), "ProcessID": dbus.MakeVariant(pid)}}, nil
	}
	return nil, in.unknown()
}
