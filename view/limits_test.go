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

// TestStrangers opens very many connections without a word, as every user of the
// computer can. A client with the token keeps its connection, and another one gets
// in.
func TestStrangers(t *testing.T) {
	_, s := serve(t, udrmtest.Options{})
	ask := func(c net.Conn) {
		t.Helper()
		_, err := fmt.Fprintf(c, "GET /v1/machine HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n", token(t, s))
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != http.StatusOK {
			t.Errorf("the answer is %s, %v", response.Status, err)
		}
	}
	connect := func() net.Conn {
		t.Helper()
		c, err := net.Dial("tcp", s.Address())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	early := connect()
	ask(early)
	for range 300 {
		connect()
	}
	ask(connect())
	ask(early)
}

// TestRefusedBody sends requests without a token, whose bodies never come. The
// server answers and closes the connection, also where it needs no token.
func TestRefusedBody(t *testing.T) {
	_, s := serve(t, udrmtest.Options{})
	for request, want := range map[string]string{
		"POST /v1/cards/card0/unplug HTTP/1.1\r\nHost: localhost":   "HTTP/1.1 401",
		"POST /v1/cards/card0/unplug HTTP/1.1\r\nHost: example.com": "HTTP/1.1 403",
		"GET /view.js HTTP/1.1\r\nHost: localhost":                  "HTTP/1.1 200",
	} {
		c, err := net.Dial("tcp", s.Address())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := fmt.Fprintf(c, "%s\r\nContent-Length: 100\r\n\r\n", request); err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(c)
		if err != nil || !strings.HasPrefix(string(answer), want) {
			t.Errorf("%s: the answer is %q, %v", request, answer, err)
		}
	}
}
