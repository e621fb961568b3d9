package socket_test

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"

	"github.com/udrm/udrm/seat/socket"
)

// A server answers with the same bytes.
func ExampleServe() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "socket"), Net: "unix"})
	if err != nil {
		fmt.Println(err)
		return
	}
	server := socket.Serve(listener, "echo", slog.New(slog.DiscardHandler), func(c *socket.Conn) error {
		p := make([]byte, 64)
		for {
			n, err := c.Read(p)
			if err == nil {
				err = c.Send(p[:n])
			}
			if err != nil {
				return err
			}
		}
	})
	defer server.Close()

	client, err := net.Dial("unix", server.Path())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Fprint(client, "hello")
	answer := make([]byte, 5)
	_, err = io.ReadFull(client, answer)
	fmt.Println(string(answer), err)
	// Output: hello <nil>
}
