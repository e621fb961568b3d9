package control_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/udrm/udrm/control"
)

// dial opens a connection to the socket, which ends with the test.
func dial(t *testing.T, s *control.Server) net.Conn {
	t.Helper()
	c, err := net.Dial("unix", s.Path())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// connect sends a request on each of new connections until one is refused, and
// returns the others.
func connect(t *testing.T, path string) (open []net.Conn) {
	t.Helper()
	for {
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(c, "GET /v1/clock HTTP/1.1\r\nHost: udrm\r\n\r\n")
		response, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		if response.StatusCode == http.StatusOK {
			if open = append(open, c); len(open) > 1000 {
				t.Fatalf("%d connections are open", len(open))
			}
			continue
		}
		defer c.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != http.StatusConflict || !strings.Contains(string(body), "256 connections are open, or 170 of the process group") {
			t.Errorf("a connection too many: %s, %s, %v", response.Status, body, err)
		}
		return open
	}
}

// TestConnectionLimit opens connections until one is refused, then does so in
// another process group. When the others have ended, the server accepts again.
func TestConnectionLimit(t *testing.T) {
	const pathVariable = "CONTROL_TEST_SOCKET"
	if path := os.Getenv(pathVariable); path != "" { // in the other process group
		fmt.Printf("opened %d\n", len(connect(t, path)))
		return
	}
	s, client := serve(t)
	const limit, groupLimit = 256, 170
	open := connect(t, s.Path())
	if len(open) != groupLimit {
		t.Errorf("a process group has %d connections, want %d", len(open), groupLimit)
	}
	other := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestConnectionLimit$")
	other.Env = append(os.Environ(), pathVariable+"="+s.Path())
	other.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if out, err := other.CombinedOutput(); err != nil || !strings.Contains(string(out), fmt.Sprintf("opened %d\n", limit-groupLimit)) {
		t.Errorf("another process group, want %d connections: %v\n%s", limit-groupLimit, err, out)
	}
	for _, c := range open {
		c.Close()
	}
	for { // until the server has noticed that
		if _, err := client.Clock(t.Context()); err == nil {
			break
		}
	}
}

// TestMemoryLimit sends heads of requests with large bodies that never come. The
// server counts them, refuses further ones, and serves small requests.
func TestMemoryLimit(t *testing.T) {
	s, client := serve(t)
	const size = 64 << 20
	for n := 1; ; n++ {
		c := dial(t, s)
		fmt.Fprintf(c, "POST /v1/cards/card0/wait HTTP/1.1\r\nHost: udrm\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", size)
		line, err := bufio.NewReader(c).ReadString('\n') // 100, when it reads the body, or 409
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(line, "409") {
			if n <= 8 { // each holds 128 MiB of 1 GiB
				t.Errorf("request %d is refused, want 9", n)
			}
			break
		}
		if n == 100 {
			t.Fatal("no request is refused")
		}
	}
	if _, err := client.Machine(t.Context()); err != nil {
		t.Error(err)
	}
}
