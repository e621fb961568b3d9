package view_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/udrm/udrm/udrmtest"
)

// TestConnectionLimit opens connections without a word, as every user of the
// computer can, until one is refused. When the others have ended, the page is
// served again.
func TestConnectionLimit(t *testing.T) {
	_, s := serve(t, udrmtest.Options{})
	const limit = 256
	var open []net.Conn
	for range limit + 1 {
		c, err := net.Dial("tcp", s.Address())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		open = append(open, c)
	}
	last := open[limit]
	response, err := http.ReadResponse(bufio.NewReader(last), nil)
	if err != nil || response.StatusCode != http.StatusServiceUnavailable {
		t.Fatalf("the connection too many got %+v, %v", response, err)
	}
	for _, c := range open {
		c.Close()
	}
	for { // until the server has noticed that
		if response, err := http.Get("http://" + s.Address() + "/"); err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusUnauthorized { // it asks for the token
				break
			}
		}
	}
}

// TestRefusedBody sends requests without a token, whose bodies never come. The
// server answers and closes the connection.
func TestRefusedBody(t *testing.T) {
	_, s := serve(t, udrmtest.Options{})
	for _, host := range []string{"localhost", "example.com"} {
		c, err := net.Dial("tcp", s.Address())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := fmt.Fprintf(c, "POST /v1/cards/card0/unplug HTTP/1.1\r\nHost: %s\r\nContent-Length: 100\r\n\r\n", host); err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(c)
		if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 40") {
			t.Errorf("%s: the answer is %q, %v", host, answer, err)
		}
	}
}
