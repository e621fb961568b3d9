package conformance

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Surroundings are what programs see of a device besides its nodes: files of
// sysfs and debugfs, and uevents. An object is one of the class drm in sysfs:
// "card0" or "card0-HDMI-A-1". Errors wrap the errno that a program sees.
type Surroundings interface {
	// ReadAttr returns the content of a file of an object.
	ReadAttr(object, attr string) (string, error)

	// WriteAttr writes data to a file of an object, with one write(2).
	WriteAttr(object, attr, data string) error

	// WriteDebugfs writes data to a file in the directory of a node in debugfs,
	// with one write(2). path is relative: "HDMI-A-1/force".
	WriteDebugfs(node, path, data string) error

	// Listen starts to collect the uevents of the class drm.
	Listen() (Listener, error)
}

// A Listener has the uevents since [Surroundings.Listen].
type Listener interface {
	// Next returns the keys of the next uevent, ACTION and SUBSYSTEM among them.
	// It waits at most for timeout, and returns nil then.
	Next(timeout time.Duration) (map[string]string, error)

	Close() error
}

// files are the Surroundings of a card that a kernel or a host serves.
type files struct{}

func (files) path(object, attr string) string { return filepath.Join("/sys/class/drm", object, attr) }

func (f files) ReadAttr(object, attr string) (string, error) {
	data, err := os.ReadFile(f.path(object, attr))
	return string(data), err
}

func (f files) WriteAttr(object, attr, data string) error { return write(f.path(object, attr), data) }

func (files) WriteDebugfs(node, path, data string) error {
	return write(filepath.Join("/sys/kernel/debug/dri", strings.TrimPrefix(node, "card"), path), data)
}

// write writes data to a file that exists, with one write(2).
func write(path, data string) error {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteString(data)
	if closed := file.Close(); err == nil {
		err = closed
	}
	return err
}

func (files) Listen() (Listener, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		return nil, fmt.Errorf("a socket for uevents: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1}); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("listening to the kernel's uevents: %w", err)
	}
	return netlink(fd), nil
}

// netlink is a socket for the uevents that the kernel sends.
type netlink int

func (n netlink) Next(timeout time.Duration) (map[string]string, error) {
	message := make([]byte, 8192)
	for deadline := time.Now().Add(timeout); ; {
		left := max(0, time.Until(deadline))
		got, err := Syscalls().Poll(int(n), unix.POLLIN, left)
		if err != nil || got == 0 {
			return nil, err
		}
		size, err := Syscalls().Read(int(n), message)
		if err != nil {
			return nil, err
		}
		// The first string is ACTION@DEVPATH.
		fields := strings.Split(string(message[:size]), "\x00")
		if keys := keysOf(fields[1:]); keys["SUBSYSTEM"] == "drm" {
			return keys, nil
		}
	}
}

func (n netlink) Close() error { return unix.Close(int(n)) }

// keysOf returns the keys of a uevent, from KEY=value.
func keysOf(fields []string) map[string]string {
	keys := make(map[string]string)
	for _, field := range fields {
		if key, value, ok := strings.Cut(field, "="); ok {
			keys[key] = value
		}
	}
	return keys
}
