package control_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
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

// TestConnectionLimit opens connections until one is refused. When the others
// have ended, the server accepts again.
func TestConnectionLimit(t *testing.T) {
	s, client := serve(t)
	const limit = 256
	var open []net.Conn
	for {
		c := dial(t, s)
		fmt.Fprint(c, "GET /v1/clock HTTP/1.1\r\nHost: udrm\r\n\r\n")
		response, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		if response.StatusCode == http.StatusOK {
			if open = append(open, c); len(open) > 2*limit {
				t.Fatalf("%d connections are open", len(open))
			}
			continue
		}
		body, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != http.StatusConflict || !strings.Contains(string(body), "256 connections are open") {
			t.Errorf("a connection too many: %s, %s, %v", response.Status, body, err)
		}
		break
	}
	if len(open) < limit {
		t.Errorf("the connection after %d others is refused, want %d", len(open), limit)
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
