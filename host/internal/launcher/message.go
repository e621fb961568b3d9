package launcher

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/mounts"
	"github.com/udrm/udrm/host/internal/seccomp"
	"github.com/udrm/udrm/internal/pollfd"
)

// A request asks the launcher to start a program. Its standard files and further
// ones come with it.
type request struct {
	Path, Dir []byte // any bytes but NUL, here and in the next two
	Args, Env [][]byte
	Attr      syscall.SysProcAttr
	Filter    seccomp.Filter

	Network   bool            // start a process in a network namespace, no program
	Namespace bool            // make the mount namespace, and start nothing
	Covers    []mounts.Cover  // mount over directories in it, and start nothing
	Changes   []mounts.Change // make and remove names in it, and start nothing
	Inside    bool            // start the program in it
}

// bytesOf returns strings as bytes. Package json would change strings
// that are no UTF-8.
func bytesOf(list []string) (all [][]byte) {
	for _, s := range list {
		all = append(all, []byte(s))
	}
	return all
}

func stringsOf(list [][]byte) (all []string) {
	for _, b := range list {
		all = append(all, string(b))
	}
	return all
}

// A reply is the launcher's. There are two for each program: one with the
// listener, and one with the process id. An error ends them.
type reply struct {
	PID   int
	Dev   pollfd.ID // of /dev, after covers
	Inode uint64    // of a new namespace
	Text  string    // of an error
	Errno unix.Errno
	Start bool // the error is the program's: it could not be executed
}

// newReply returns the reply for an error.
func newReply(err error) reply {
	r := reply{Text: err.Error()}
	errors.As(err, &r.Errno)
	return r
}

// err returns the error that a reply reports, or nil.
func (r *reply) err(path string) error {
	switch {
	case r.Text == "":
		return nil
	case r.Start:
		return &fs.PathError{Op: "fork/exec", Path: path, Err: r.Errno}
	}
	return &remoteError{r.Text, r.Errno}
}

// A remoteError is an error of the launcher.
type remoteError struct {
	text  string
	errno unix.Errno
}

func (e *remoteError) Error() string { return e.text }
func (e *remoteError) Unwrap() error { return e.errno }

// maxFiles bounds the files of a message (SCM_MAX_FD of the kernel).
const maxFiles = 253

// send sends a value and descriptors. The value is in a memfd, because the
// arguments of a program can be larger than a packet. It makes no call that a
// host's filter hands over: the launcher calls it before the host serves it.
func send(socket int, value any, fds ...int) error {
	if len(fds)+1 > maxFiles {
		return fmt.Errorf("%d files are too many: %w", len(fds), unix.EINVAL)
	}
	content, err := json.Marshal(value)
	if err != nil {
		return err
	}
	memfd, err := unix.MemfdCreate("udrm launcher", unix.MFD_CLOEXEC)
	if err != nil {
		return err
	}
	defer unix.Close(memfd)
	for rest := content; len(rest) > 0; {
		n, err := unix.Write(memfd, rest)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		rest = rest[n:]
	}
	rights := unix.UnixRights(append([]int{memfd}, fds...)...)
	for {
		if err := unix.Sendmsg(socket, []byte{0}, rights, nil, unix.MSG_NOSIGNAL); err != unix.EINTR {
			return err
		}
	}
}

// receive receives a value and descriptors. io.EOF when the other end is closed.
func receive(socket int, value any) (fds []int, err error) {
	var n, nrights int
	data, rights := make([]byte, 1), make([]byte, unix.CmsgSpace(4*maxFiles))
	for {
		n, nrights, _, _, err = unix.Recvmsg(socket, data, rights, unix.MSG_CMSG_CLOEXEC)
		if err != unix.EINTR {
			break
		}
	}
	switch {
	case err == unix.ECONNRESET, err == nil && n == 0:
		return nil, io.EOF
	case err != nil:
		return nil, err
	}
	controls, err := unix.ParseSocketControlMessage(rights[:nrights])
	if err == nil && len(controls) != 1 {
		err = unix.EMFILE // the kernel dropped the descriptors
	}
	if err == nil {
		fds, err = unix.ParseUnixRights(&controls[0])
	}
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fds[0]), "message")
	defer file.Close()
	// The descriptor shares its offset with the sender's.
	content := io.NewSectionReader(file, 0, 1<<62)
	if err := json.NewDecoder(content).Decode(value); err != nil {
		closeAll(fds[1:])
		return nil, err
	}
	return fds[1:], nil
}

func closeAll(fds []int) {
	for _, fd := range fds {
		_ = unix.Close(fd)
	}
}
