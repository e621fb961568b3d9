package seatd

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/seat"
	"github.com/udrm/udrm/seat/socket"
)

// A master is a card of which every client is the master at once.
type master struct{}

func (master) SetMaster() error  { return nil }
func (master) DropMaster() error { return nil }

func (master) Descriptor() (int, error) { return -1, unix.EBADF }

func openNull(path string, _ int) (int, seat.Device, error) {
	if path != "/dev/dri/card0" {
		return -1, nil, fmt.Errorf("%s: %w", path, unix.ENOENT)
	}
	fd, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	return fd, master{}, err
}

// serve serves a seat for the time of a test.
func serve(t testing.TB) (s *seat.Seat, addr string) {
	t.Helper()
	dir, err := seat.NewDirectory()
	if err != nil {
		t.Fatal(err)
	}
	l, err := dir.Listen()
	if err != nil {
		t.Fatal(err)
	}
	s = seat.New(openNull, nil)
	server := Serve(l, s, nil)
	t.Cleanup(func() {
		if err := errors.Join(server.Close(), dir.Close()); err != nil {
			t.Error(err)
		}
	})
	return s, l.Addr().String()
}

// TestSession is the life of a session.
func TestSession(t *testing.T) {
	s, addr := serve(t)
	c, err := Dial(addr)
	if err != nil {
		t.Fatal(err)
	}
	if !<-c.Events() {
		t.Fatal("the first event is not that the session is active")
	}
	fd, id, err := c.OpenDevice("/dev/dri/card0")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.CloseDevice(id), unix.Close(fd)); err != nil {
		t.Error(err)
	}
	if err := c.CloseDevice(id); !errors.Is(err, unix.EBADF) {
		t.Errorf("the device is closed twice: %v", err)
	}
	if _, _, err := c.OpenDevice("/dev/null"); !errors.Is(err, unix.ENOENT) {
		t.Errorf("/dev/null was opened: %v", err)
	}
	s.Pause()
	if <-c.Events() {
		t.Error("the session is active")
	}
	if _, _, err := c.OpenDevice("/dev/dri/card0"); !errors.Is(err, unix.EPERM) {
		t.Errorf("a device was opened while the seat is paused: %v", err)
	}
	s.Resume()
	if err := c.Disabled(); err != nil {
		t.Error(err)
	}
	if !<-c.Events() {
		t.Error("the session is not active")
	}
	if err := c.Switch(2); err != nil {
		t.Error(err)
	}
	if <-c.Events() {
		t.Error("the session is active after a switch")
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// TestMalformed sends what is no request. Each connection ends, and the server
// serves others.
func TestMalformed(t *testing.T) {
	_, addr := serve(t)
	opened := message(openSeat)
	for name, sent := range map[string][]byte{
		"unknown request":          message(99),
		"no session":               message(closeSeat),
		"two sessions":             append(message(openSeat), opened...),
		"a body too many":          message(ping, 1),
		"a body too few":           append(opened, message(closeDevice, 1, 2)...),
		"a path without an end":    append(opened, message(openDevice, 3, 0, 'a', 'b', 'c')...),
		"a path with two ends":     append(opened, message(openDevice, 3, 0, 'a', 0, 0)...),
		"a path of another length": append(opened, message(openDevice, 9, 0, 'a', 'b', 0)...),
		"a path too long":          append(opened, message(openDevice, make([]byte, 300)...)...),
		"a session after the last": append(append(opened, message(closeSeat)...), opened...),
	} {
		conn, err := net.Dial("unix", addr)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write(sent); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := io.Copy(io.Discard, conn); err != nil && !errors.Is(err, unix.ECONNRESET) {
			t.Errorf("%s: %v", name, err)
		}
		conn.Close()
	}
	c, err := Dial(addr)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

// TestSilentClients opens connections that do not read, and too many.
func TestSilentClients(t *testing.T) {
	_, addr := serve(t)
	var conns []net.Conn
	for range 2 * socket.MaxConns {
		conn, err := net.Dial("unix", addr)
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	pings := bytes.Repeat(message(ping), 1000)
	for _, conn := range conns {
		// It ends with an error as soon as the server has had enough.
		for err := error(nil); err == nil; {
			_, err = conn.Write(pings)
		}
		conn.Close()
	}
	for { // until the server has seen that they are closed
		c, err := Dial(addr)
		if err == nil {
			c.Close()
			break
		}
		time.Sleep(time.Millisecond)
	}
}

// TestGroupConnections opens more connections than one process group may have.
func TestGroupConnections(t *testing.T) {
	_, addr := serve(t)
	served := 0
	for range socket.MaxGroupConns + 4 {
		conn, err := net.Dial("unix", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_, _ = conn.Write(message(ping)) // fails if the server has ended the connection
		if _, err := io.ReadFull(conn, make([]byte, headerSize)); err == nil {
			served++
		}
	}
	if served != socket.MaxGroupConns {
		t.Errorf("%d connections are served, want %d", served, socket.MaxGroupConns)
	}
}

// TestDialects maps files with the name of libseat into this process.
func TestDialects(t *testing.T) {
	if !awaitsAnswers(os.Getpid()) {
		t.Error("a process without libseat waits for no answers")
	}
	for _, tc := range []struct {
		text string
		want bool
	}{{"some text", false}, {string(answeredText), true}} {
		path := filepath.Join(t.TempDir(), "libseat.so.1")
		if err := os.WriteFile(path, []byte(tc.text), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		memory, err := unix.Mmap(int(f.Fd()), 0, len(tc.text), unix.PROT_READ, unix.MAP_PRIVATE)
		if err != nil {
			t.Fatal(err)
		}
		if got := awaitsAnswers(os.Getpid()); got != tc.want {
			t.Errorf("with %q in libseat: %v", tc.text, got)
		}
		if err := unix.Munmap(memory); err != nil {
			t.Error(err)
		}
	}
	if awaitsAnswers(0) != true {
		t.Error("a process that is not there waits for no answers")
	}
}

// FuzzRequests sends bytes to a server. It must answer what is a request, in
// whole messages, and end the connection otherwise.
func FuzzRequests(f *testing.F) {
	f.Add(message(openSeat))
	f.Add(append(message(openSeat), message(ping)...))
	path := append(append([]byte{15, 0}, "/dev/dri/card0"...), 0)
	f.Add(append(message(openSeat), message(openDevice, path...)...))
	f.Add(append(append(message(openSeat), message(openDevice, path...)...), message(closeDevice, 1, 0, 0, 0)...))
	f.Add(append(message(openSeat), message(switchSession, 2, 0, 0, 0)...))
	f.Add(append(append(message(openSeat), message(switchSession, 2, 0, 0, 0)...), message(disableSeat)...))
	f.Add(append(message(openSeat), message(closeSeat)...))
	_, addr := serve(f)
	f.Fuzz(func(t *testing.T, sent []byte) {
		conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: addr, Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		go func() {
			_, _ = conn.Write(sent) // fails if the server ends the connection
			_ = conn.CloseWrite()
		}()
		got, err := io.ReadAll(conn)
		if err != nil && !errors.Is(err, unix.ECONNRESET) {
			t.Fatal(err)
		}
		for len(got) > 0 {
			if len(got) < headerSize || len(got) < headerSize+int(binary.NativeEndian.Uint16(got[2:])) {
				t.Fatalf("a message of the server is not complete: %x", got)
			}
			if binary.NativeEndian.Uint16(got)>>15 != 1 {
				t.Fatalf("opcode %d is none of a server", binary.NativeEndian.Uint16(got))
			}
			got = got[headerSize+int(binary.NativeEndian.Uint16(got[2:])):]
		}
		for rest := sent; ; {
			r, n, err := parse(rest)
			if err != nil {
				break
			}
			if n < headerSize || n > maxBuffered || len(r.path) >= maxPath {
				t.Fatalf("%x is read as %+v, %d bytes", rest, r, n)
			}
			rest = rest[n:]
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
	s := seat.New(openNull, nil)
	server := Serve(socket, s, nil)
	defer server.Close()

	client, err := Dial(socket.Addr().String()) // a compositor, by libseat
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("active:", <-client.Events())
	s.Pause()
	fmt.Println("active:", <-client.Events())
	// Output:
	// active: true
	// active: false
}
