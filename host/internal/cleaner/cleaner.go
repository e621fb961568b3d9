package cleaner

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/child"
)

// Kinds of messages to the cleaner.
const (
	msgMarker   = 'm' // followed by NAME=value
	msgRemove   = 'd' // followed by the path of a directory or a socket to remove
	msgCallers  = 'c' // with the descriptor of the table
	msgListener = 'l' // with the descriptor of a listener
	msgKeep     = 'k' // let the programs live
)

// ready is the message of the cleaner when it has the threads that it needs.
const ready = 'r'

// readyTimeout is how long it may take, in milliseconds.
const readyTimeout = 10_000

// maxMessage bounds a message. A path is the longest content.
const maxMessage = unix.PathMax + 1

// A Cleaner is a cleaner process, as the host sees it. Its methods may be
// called concurrently, except Stop.
type Cleaner struct {
	*Callers // of calls that were handed over

	socket  int
	started chan struct{} // closed when cmd has started or failed to
	cmd     *exec.Cmd
	err     error // of the start
}

// Start starts the cleaner in the background. The command must call [Run].
// When this process ends, the cleaner kills the programs that have marker in
// their environment, and removes dir.
func Start(command []string, marker, dir string) (*Cleaner, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socketpair: %w", err)
	}
	stdin := os.NewFile(uintptr(fds[1]), "cleaner")
	c := &Cleaner{socket: fds[0], started: make(chan struct{}), cmd: exec.Command(command[0], command[1:]...)}
	c.cmd.Stdin = stdin
	c.cmd.Dir = "/"
	c.cmd.Env = []string{} // without the marker of an outer host
	// A session of its own: signals to the process group of the host miss it.
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	var table int
	if c.Callers, table, err = newCallers(); err == nil {
		err = errors.Join(c.send(msgMarker, marker), c.Remove(dir), c.send(msgCallers, "", table), unix.Close(table))
	}
	if err != nil {
		return nil, errors.Join(err, unix.Close(c.socket), stdin.Close())
	}
	go func() {
		defer close(c.started)
		defer stdin.Close()
		c.err = child.Start(func() (int, error) {
			if err := c.cmd.Start(); err != nil {
				return 0, err
			}
			return c.cmd.Process.Pid, nil
		})
	}()
	return c, nil
}

func (c *Cleaner) send(kind byte, text string, fds ...int) error {
	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	err := unix.Sendmsg(c.socket, append([]byte{kind}, text...), rights, nil, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT)
	if err != nil {
		return fmt.Errorf("telling the cleaner: %w", err)
	}
	return nil
}

// Started waits until the cleaner has started. It returns an error if the
// cleaner has not.
func (c *Cleaner) Started() error {
	<-c.started
	if c.err != nil {
		return fmt.Errorf("starting the cleaner: %w", c.err)
	}
	return nil
}

// AwaitReady waits until the cleaner has the threads that it needs, or has ended.
// Later it works also if process IDs have run out.
func (c *Cleaner) AwaitReady() error {
	if err := c.Started(); err != nil {
		return err
	}
	polled := []unix.PollFd{{Fd: int32(c.socket), Events: unix.POLLIN}}
	for {
		switch n, err := unix.Poll(polled, readyTimeout); {
		case err == unix.EINTR:
			continue
		case err != nil:
			return fmt.Errorf("waiting for the cleaner: %w", err)
		case n == 0:
			return errors.New("the cleaner does not start: no process ID may be left for its threads")
		}
		n, err := unix.Read(c.socket, make([]byte, 1))
		if err != nil || n == 0 {
			return fmt.Errorf("the cleaner has ended: no process ID may be left for its threads: %v", err)
		}
		return nil
	}
}

// Add gives the cleaner a copy of a listener. It does not wait for the start,
// so it may be called inside child.Start.
func (c *Cleaner) Add(listener int) error { return c.send(msgListener, "", listener) }

// Remove makes the cleaner remove a directory with all that is in it, or a socket,
// when this process has ended. Another process must not make a directory there; a
// socket that it makes there stays. "" is nothing.
func (c *Cleaner) Remove(path string) error { return c.send(msgRemove, path) }

// Keep makes the cleaner only remove files when this process ends.
func (c *Cleaner) Keep() error { return c.send(msgKeep, "") }

// Stop ends the cleaner, which does nothing then.
func (c *Cleaner) Stop() {
	<-c.started
	if c.err == nil {
		_ = c.cmd.Process.Kill()
		_ = c.cmd.Wait()
		child.Forget(c.cmd.Process.Pid)
	}
	_ = unix.Close(c.socket)
}
