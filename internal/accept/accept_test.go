package accept_test

import (
	"errors"
	"io"
	"net"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/internal/accept"
)

// TestShortage lets accept fail as in a shortage, several times, and then succeed.
func TestShortage(t *testing.T) {
	var reported []error
	failures := []error{unix.EMFILE, unix.ENFILE, unix.ENOMEM, unix.ENOBUFS}
	c, err := accept.Next(func() (int, error) {
		if len(failures) > 0 {
			err := failures[0]
			failures = failures[1:]
			return 0, err
		}
		return 7, nil
	}, func(err error) { reported = append(reported, err) })
	if c != 7 || err != nil {
		t.Errorf("Next returned %d, %v; want 7", c, err)
	}
	if len(reported) != 1 || !errors.Is(reported[0], unix.EMFILE) {
		t.Errorf("the errors reported are %v, want the first only", reported)
	}
}

// TestLimited opens connections to a listener that takes one at a time. A further
// one ends a stranger, and is refused while the other one is trusted. Then the test
// closes the listener.
func TestLimited(t *testing.T) {
	inner, err := net.Listen("unix", filepath.Join(t.TempDir(), "socket"))
	if err != nil {
		t.Fatal(err)
	}
	l := accept.NewLimited(inner, 1, []byte("full"), func(err error) { t.Error(err) })
	accepted := make(chan net.Conn)
	go func() {
		defer close(accepted)
		for {
			c, err := l.Accept()
			if err != nil {
				if !errors.Is(err, net.ErrClosed) {
					t.Error(err)
				}
				return
			}
			accepted <- c
		}
	}()
	dial := func() net.Conn {
		c, err := net.Dial("unix", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	wantRead := func(c net.Conn, want string) {
		t.Helper()
		if text, err := io.ReadAll(c); string(text) != want || err != nil {
			t.Errorf("the client read %q, %v; want %q", text, err, want)
		}
	}
	stranger := dial()
	<-accepted
	dial()
	wantRead(stranger, "")
	trusted := <-accepted
	l.Trust(trusted)
	wantRead(dial(), "full")
	for range 2 { // closing again changes nothing
		trusted.Close()
	}
	dial()
	(<-accepted).Close()
	l.Close()
	if _, open := <-accepted; open {
		t.Error("the closed listener accepts")
	}
}
