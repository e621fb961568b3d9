package socket_test

import (
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/seat/socket"
)

// reported is a log that tells of a message.
type reported struct{ messages chan string }

func (r reported) Write(p []byte) (int, error) {
	select {
	case r.messages <- string(p):
	default:
	}
	return len(p), nil
}

// TestShortage connects while this process may have no further descriptor. The
// server takes the connection when it may.
func TestShortage(t *testing.T) {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "socket"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	log := reported{make(chan string, 1)}
	s := socket.Serve(l, "test", slog.New(slog.NewTextHandler(log, nil)), func(c *socket.Conn) error {
		return c.Send([]byte("hello"))
	})
	defer s.Close()
	client, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(client)
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 0, Max: limit.Max}); err != nil {
		t.Fatal(err)
	}
	err = unix.Connect(client, &unix.SockaddrUnix{Name: s.Path()})
	message := ""
	if err == nil {
		message = <-log.messages
	}
	if restored := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil || restored != nil {
		t.Fatal(err, restored)
	}
	if !strings.Contains(message, "too many open files") {
		t.Errorf("the log has %q", message)
	}
	buf := make([]byte, 16)
	n, err := unix.Read(client, buf)
	if string(buf[:max(n, 0)]) != "hello" || err != nil && err != io.EOF {
		t.Errorf("read %q, %v; want hello", buf[:max(n, 0)], err)
	}
}
