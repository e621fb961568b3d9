package login1

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/seat"
)

// A card is a device whose mastership is written down.
type card struct {
	mu     sync.Mutex
	master bool
}

func (c *card) set(master bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.master = master
	return nil
}

func (c *card) SetMaster() error { return c.set(true) }

func (c *card) DropMaster() error { return c.set(false) }

func (c *card) Descriptor() (int, error) {
	return unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
}

func (c *card) isMaster() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.master
}

func (c *card) open(path string, _ int) (int, seat.Device, error) {
	if path != "/dev/char/226:0" {
		return -1, nil, fmt.Errorf("%s: %w", path, unix.ENOENT)
	}
	fd, err := c.Descriptor()
	return fd, c, err
}

// serve serves a seat of a card for the time of a test.
func serve(t testing.TB, c *card) (s *seat.Seat, server *Server) {
	t.Helper()
	dir, err := seat.NewDirectory()
	if err != nil {
		t.Fatal(err)
	}
	l, err := dir.Listen()
	if err != nil {
		t.Fatal(err)
	}
	s = seat.New(c.open, nil)
	server = Serve(l, s, nil)
	t.Cleanup(func() {
		if err := errors.Join(server.Close(), dir.Close()); err != nil {
			t.Error(err)
		}
	})
	return s, server
}

// connect connects to the bus. With subscribe, signals go to the channel.
func connect(t testing.TB, server *Server) (session dbus.BusObject, bus *dbus.Conn, signals chan *dbus.Signal) {
	t.Helper()
	bus, err := dbus.Connect("unix:path=" + server.socket.Path())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { bus.Close() })
	signals = make(chan *dbus.Signal, 32)
	bus.Signal(signals)
	if err := bus.AddMatchSignal(dbus.WithMatchSender(serviceName)); err != nil {
		t.Fatal(err)
	}
	return bus.Object(serviceName, sessionPath), bus, signals
}

func wantError(t *testing.T, call *dbus.Call, want string) {
	t.Helper()
	var refusal dbus.Error
	if !errors.As(call.Err, &refusal) || refusal.Name != want {
		t.Errorf("%s: the error is %v, want %s", call.Method, call.Err, want)
	}
}

func wantSignal(t *testing.T, signals <-chan *dbus.Signal, name string, body ...any) *dbus.Signal {
	t.Helper()
	s := <-signals
	if s.Name != name || len(s.Body) < len(body) || !reflect.DeepEqual(s.Body[:len(body)], body) {
		t.Fatalf("the signal is %s %v, want %s %v", s.Name, s.Body, name, body)
	}
	return s
}

const (
	changed = "org.freedesktop.DBus.Properties.PropertiesChanged"
	method  = sessionInterface + "."
)

// TestControl is the life of a session.
func TestControl(t *testing.T) {
	c := &card{}
	s, server := serve(t, c)
	session, _, signals := connect(t, server)
	wantError(t, session.Call(method+"TakeDevice", 0, uint32(226), uint32(0)), notInControl)
	wantError(t, session.Call(method+"ReleaseControl", 0), notInControl)
	for range 2 {
		if err := session.Call(method+"TakeControl", 0, false).Err; err != nil {
			t.Fatal(err)
		}
	}
	other, _, _ := connect(t, server)
	wantError(t, other.Call(method+"TakeControl", 0, true), "System.Error.EBUSY")

	var fd dbus.UnixFD
	var inactive bool
	if err := session.Call(method+"TakeDevice", 0, uint32(226), uint32(0)).Store(&fd, &inactive); err != nil || inactive {
		t.Fatal(err, inactive)
	}
	if err := unix.Close(int(fd)); err != nil {
		t.Error(err)
	}
	if !c.isMaster() {
		t.Error("the session is not the master")
	}
	wantError(t, session.Call(method+"TakeDevice", 0, uint32(226), uint32(0)), deviceTaken)
	wantError(t, session.Call(method+"TakeDevice", 0, uint32(226), uint32(1)), "org.freedesktop.DBus.Error.FileNotFound")
	wantError(t, session.Call(method+"TakeDevice", 0, uint32(13), uint32(64)), "System.Error.ENODEV")
	wantError(t, session.Call(method+"TakeDevice", 0, "card0", uint32(64)), invalidArgs)
	wantError(t, session.Call(method+"TakeDevice", 0, uint32(226)), invalidArgs)
	wantError(t, session.Call(method+"ReleaseDevice", 0, uint32(13), uint32(0)), deviceNotTaken)

	s.Pause()
	if c.isMaster() {
		t.Error("the session is the master after Pause")
	}
	wantSignal(t, signals, method+"PauseDevice", uint32(226), uint32(0), "force")
	off := wantSignal(t, signals, changed, sessionInterface)
	if want := variants(map[string]any{"Active": false, "State": "online"}); !reflect.DeepEqual(off.Body[1], want) {
		t.Errorf("the properties are %v, want %v", off.Body[1], want)
	}
	if active, err := session.GetProperty(method + "Active"); err != nil || active.Value() != false {
		t.Errorf("Active is %v, %v", active, err)
	}
	s.Resume()
	resumed := wantSignal(t, signals, method+"ResumeDevice", uint32(226), uint32(0))
	if fd, ok := resumed.Body[2].(dbus.UnixFD); !ok || unix.Close(int(fd)) != nil {
		t.Errorf("ResumeDevice has %v", resumed.Body)
	}
	wantSignal(t, signals, changed, sessionInterface)
	if !c.isMaster() {
		t.Error("the session is not the master after Resume")
	}

	server.Gone(1)
	server.Gone(0)
	wantSignal(t, signals, method+"PauseDevice", uint32(226), uint32(0), "gone")
	wantError(t, session.Call(method+"ReleaseDevice", 0, uint32(226), uint32(0)), deviceNotTaken)
	if err := session.Call(method+"TakeDevice", 0, uint32(226), uint32(0)).Store(&fd, &inactive); err != nil || inactive {
		t.Fatal(err, inactive)
	}
	if err := unix.Close(int(fd)); err != nil {
		t.Error(err)
	}

	if err := session.Call(method+"SetType", 0, "x11").Err; err != nil {
		t.Error(err)
	}
	wantSignal(t, signals, changed, sessionInterface, variants(map[string]any{"Type": "x11"}))
	wantError(t, session.Call(method+"SetType", 0, "paper"), "org.freedesktop.DBus.Error.InvalidArgs")
	if err := session.Call(method+"ReleaseDevice", 0, uint32(226), uint32(0)).Err; err != nil {
		t.Error(err)
	}
	if c.isMaster() {
		t.Error("the session is the master after ReleaseDevice")
	}
	if err := session.Call(method+"ReleaseControl", 0).Err; err != nil {
		t.Error(err)
	}
	if err := other.Call(method+"TakeControl", 0, false).Err; err != nil {
		t.Error(err)
	}
}

// TestObjects calls what programs call at their start.
func TestObjects(t *testing.T) {
	_, server := serve(t, &card{})
	_, bus, _ := connect(t, server)
	manager := bus.Object(serviceName, managerPath)
	for _, tc := range []struct {
		method string
		args   []any
	}{
		{"GetSession", []any{SessionID}}, {"GetSessionByPID", []any{uint32(1)}}, {"GetSeat", []any{"seat0"}},
		{"GetUser", []any{uint32(0)}}, {"ListSessions", nil}, {"ListSeats", nil}, {"ListUsers", nil}, {"ListInhibitors", nil},
		{"CanSuspend", nil}, {"ActivateSession", []any{SessionID}},
	} {
		if err := manager.Call(managerInterface+"."+tc.method, 0, tc.args...).Err; err != nil {
			t.Errorf("%s: %v", tc.method, err)
		}
	}
	var fd dbus.UnixFD
	if err := manager.Call(managerInterface+".Inhibit", 0, "sleep", "a", "b", "delay").Store(&fd); err != nil || unix.Close(int(fd)) != nil {
		t.Error(err)
	}
	wantError(t, manager.Call(managerInterface+".GetSeat", 0, "seat1"), noSuchSeat)
	wantError(t, manager.Call(managerInterface+".Reboot", 0, false), unknownMethod)
	wantError(t, bus.Object(serviceName, "/nowhere").Call(managerInterface+".ListSeats", 0), unknownObject)
	wantError(t, bus.Object("org.freedesktop.UPower", "/").Call("org.freedesktop.UPower.EnumerateDevices", 0), unknownService)
	for _, path := range []dbus.ObjectPath{managerPath, sessionPath, seatPath, managerPath + "/session/auto", managerPath + "/user/self"} {
		var all map[string]dbus.Variant
		o := bus.Object(serviceName, path)
		if err := o.Call(propertyInterface+".GetAll", 0, "").Store(&all); err != nil || len(all) == 0 {
			t.Errorf("the properties of %s: %v, %v", path, all, err)
		}
		wantError(t, o.Call(propertyInterface+".Get", 0, seatInterface, "Colour"), unknownValue)
		wantError(t, o.Call(propertyInterface+".Set", 0, seatInterface, "Id", dbus.MakeVariant("x")), accessDenied)
		var text string
		if err := o.Call("org.freedesktop.DBus.Introspectable.Introspect", 0).Store(&text); err != nil || !strings.Contains(text, "<interface") {
			t.Errorf("%s: %q, %v", path, text, err)
		}
	}
	daemon := bus.BusObject()
	for _, name := range []string{busName, serviceName, ownerName, bus.Names()[0]} {
		for _, method := range []string{"GetNameOwner", "GetConnectionUnixUser", "GetConnectionUnixProcessID", "GetConnectionCredentials", "NameHasOwner"} {
			if err := daemon.Call(busName+"."+method, 0, name).Err; err != nil {
				t.Errorf("%s of %s: %v", method, name, err)
			}
		}
	}
	wantError(t, daemon.Call(busName+".GetNameOwner", 0, "org.example"), noOwner)
	wantError(t, daemon.Call(busName+".StartServiceByName", 0, "org.example", uint32(0)), unknownService)
	wantError(t, daemon.Call(busName+".RequestName", 0, "org.example", uint32(0)), accessDenied)
	if err := daemon.Call("org.freedesktop.DBus.Peer.Ping", 0).Err; err != nil {
		t.Error(err)
	}
	for path, show := range server.Files() {
		if !strings.Contains(show(), "\n") {
			t.Errorf("%s shows %q", path, show())
		}
	}
}

// greeting is what a client sends before its first message.
const greeting = "\x00AUTH EXTERNAL\r\nDATA\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n"

// encoded returns a call as bytes.
func encoded(t testing.TB, path dbus.ObjectPath, destination, iface, member string, body ...any) []byte {
	t.Helper()
	m := &dbus.Message{Type: dbus.TypeMethodCall, Body: body, Headers: map[dbus.HeaderField]dbus.Variant{
		dbus.FieldPath: dbus.MakeVariant(path), dbus.FieldDestination: dbus.MakeVariant(destination),
		dbus.FieldInterface: dbus.MakeVariant(iface), dbus.FieldMember: dbus.MakeVariant(member),
	}}
	if len(body) > 0 {
		m.Headers[dbus.FieldSignature] = dbus.MakeVariant(dbus.SignatureOf(body...))
	}
	var p bytes.Buffer
	if err := m.EncodeTo(&p, binary.LittleEndian); err != nil {
		t.Fatal(err)
	}
	binary.LittleEndian.PutUint32(p.Bytes()[8:], 1)
	return p.Bytes()
}

// exchange sends bytes, and returns what comes until the connection ends.
func exchange(t testing.TB, server *Server, sent []byte) []byte {
	t.Helper()
	c, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: server.socket.Path(), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	go func() {
		_, _ = c.Write(sent) // fails if the server ends the connection
		_ = c.CloseWrite()
	}()
	got, err := io.ReadAll(c)
	if err != nil && !errors.Is(err, unix.ECONNRESET) {
		t.Fatal(err)
	}
	return got
}

// TestGreetings checks the conversation before the first message.
func TestGreetings(t *testing.T) {
	_, server := serve(t, &card{})
	ok := "OK " + server.guid + "\r\n"
	uid := fmt.Sprintf("%x", fmt.Sprint(unix.Geteuid()))
	for sent, want := range map[string]string{
		greeting:                                  "DATA\r\n" + ok + "AGREE_UNIX_FD\r\n",
		"\x00AUTH EXTERNAL " + uid + "\r\n":       ok,
		"\x00AUTH EXTERNAL " + uid + "31\r\n":     "REJECTED EXTERNAL\r\n",
		"\x00AUTH EXTERNAL zz\r\n":                "REJECTED EXTERNAL\r\n",
		"\x00AUTH\r\nAUTH ANONYMOUS\r\n":          "REJECTED EXTERNAL\r\nREJECTED EXTERNAL\r\n",
		"\x00DATA\r\nNEGOTIATE_UNIX_FD\r\nHI\r\n": "REJECTED EXTERNAL\r\nERROR\r\nERROR\r\n",
		"\x00BEGIN\r\n":                           "",
		"hello":                                   "",
		"\x00" + strings.Repeat("A", 1000):        "",
	} {
		if got := exchange(t, server, []byte(sent)); string(got) != want {
			t.Errorf("%q is answered by %q, want %q", sent, got, want)
		}
	}
	hello := encoded(t, "/org/freedesktop/DBus", busName, busName, "Hello")
	for name, sent := range map[string][]byte{
		"no Hello":         encoded(t, managerPath, serviceName, managerInterface, "ListSeats"),
		"a huge message":   binary.LittleEndian.AppendUint32([]byte("l\x01\x00\x01"), 1<<26),
		"no byte order":    bytes.Repeat([]byte("x"), 100),
		"a broken message": append(bytes.Clone(hello[:20]), bytes.Repeat([]byte{0xff}, len(hello))...),
	} {
		sent = append(append([]byte(greeting), sent...), make([]byte, 16)...)
		if got := exchange(t, server, sent); bytes.Contains(got, []byte(":1.")) {
			t.Errorf("%s is answered by %q", name, got)
		}
	}
	if got := exchange(t, server, append([]byte(greeting), hello...)); !bytes.Contains(got, []byte(":1.")) {
		t.Errorf("Hello is answered by %q", got)
	}
}

// FuzzMessages sends bytes to a server behind the greeting and Hello. It must
// answer in whole messages.
func FuzzMessages(f *testing.F) {
	f.Add(encoded(f, managerPath, serviceName, managerInterface, "GetSession", SessionID))
	f.Add(encoded(f, sessionPath, serviceName, sessionInterface, "TakeControl", false))
	f.Add(append(encoded(f, sessionPath, serviceName, sessionInterface, "TakeControl", false),
		encoded(f, sessionPath, serviceName, sessionInterface, "TakeDevice", uint32(226), uint32(0))...))
	f.Add(encoded(f, sessionPath, serviceName, propertyInterface, "GetAll", sessionInterface))
	f.Add(encoded(f, seatPath, serviceName, propertyInterface, "Get", seatInterface, "CanGraphical"))
	f.Add(encoded(f, seatPath, serviceName, seatInterface, "SwitchTo", uint32(2)))
	f.Add(encoded(f, "/org/freedesktop/DBus", busName, busName, "GetNameOwner", serviceName))
	f.Add(encoded(f, "/org/freedesktop/DBus", busName, busName, "AddMatch", "type='signal'"))
	_, server := serve(f, &card{})
	hello := encoded(f, "/org/freedesktop/DBus", busName, busName, "Hello")
	f.Fuzz(func(t *testing.T, sent []byte) {
		got := exchange(t, server, append(append([]byte(greeting), hello...), sent...))
		end := []byte("AGREE_UNIX_FD\r\n")
		i := bytes.Index(got, end)
		if i < 0 {
			t.Fatalf("the greeting is answered by %q", got)
		}
		for got = got[i+len(end):]; len(got) > 0; {
			size, err := messageSize(got)
			if err != nil || size == 0 || size > len(got) {
				t.Fatalf("a message of the server is not complete: %x, %v", got, err)
			}
			got = got[size:]
		}
	})
}

func Example() {
	dir, err := seat.NewDirectory()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer dir.Close()
	socket, err := dir.Listen()
	if err != nil {
		fmt.Println(err)
		return
	}
	server := Serve(socket, seat.New(new(card).open, nil), nil)
	defer server.Close()

	bus, err := dbus.Connect("unix:path=" + socket.Addr().String()) // a compositor
	if err != nil {
		fmt.Println(err)
		return
	}
	defer bus.Close()
	session := bus.Object("org.freedesktop.login1", "/org/freedesktop/login1/session/auto")
	fmt.Println(session.Call("org.freedesktop.login1.Session.TakeControl", 0, false).Err)
	// Output: <nil>
}
