package fusefs

import (
	"fmt"
	"log"
	"os"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host"
)

// maxWrite bounds one write: no virtual file takes more than a page.
const maxWrite = 1 << 14

// Serve serves files at the connection. See [host.FileServer].
func Serve(connection *os.File, files *host.VirtualFiles) error {
	// The server takes a descriptor of its own.
	fd, err := unix.FcntlInt(connection.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if closeErr := connection.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	fs := newFileSystem(files)
	server, err := fuse.NewServer(fs, fmt.Sprintf("/dev/fd/%d", fd), &fuse.MountOptions{
		Name: "udrm", MaxWrite: maxWrite, DisableSplice: true,
		IgnoreSecurityLabels: true,
		Logger:               log.New(discard{}, "", 0),
	})
	if err != nil {
		return fmt.Errorf("fusefs: %w", err)
	}
	go server.Serve()
	return nil
}

// discard discards the reports of the library, of which a program can cause any
// number.
type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
