package control

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Environment is the environment variable that has the path of the socket, in a
// program that runs on a machine.
const Environment = "UDRM_CONTROL"

const suffix = ".sock"

// nameSpec is what a name of a machine looks like.
var nameSpec = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}$`)
})

// CheckName returns an error if no machine can have that name.
func CheckName(name string) error {
	if !nameSpec().MatchString(name) {
		return fmt.Errorf("%q is not a name of a machine; use at most 32 letters, digits and _ . -", name)
	}
	return nil
}

// directories returns where sockets are, the preferred directory first.
func directories() (list []string) {
	if dir := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		list = append(list, filepath.Join(dir, "udrm"))
	}
	return append(list, fmt.Sprintf("/tmp/udrm-%d", os.Geteuid()))
}

// lock locks a directory of sockets until the file is closed. It fails if others
// can write to the directory.
func lock(dir string) (*os.File, error) {
	f, err := os.OpenFile(dir, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	err = unix.Fstat(int(f.Fd()), &st)
	if err == nil && (int(st.Uid) != os.Geteuid() || st.Mode&0o077 != 0) {
		err = fmt.Errorf("%s belongs to another user, or others can use it; remove it, or make it yours with mode 0700", dir)
	}
	if err == nil {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// listen creates the socket of a machine in the first directory that can be
// used.
func listen(name string) (*net.UnixListener, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	var errs []error
	for _, dir := range directories() {
		l, err := listenIn(dir, name)
		if err == nil || errors.Is(err, unix.EADDRINUSE) {
			return l, err
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

func listenIn(dir, name string) (*net.UnixListener, error) {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	locked, err := lock(dir)
	if err != nil {
		return nil, err
	}
	defer locked.Close()
	if _, err := sweep(dir); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, name+suffix)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if errors.Is(err, unix.EADDRINUSE) {
		return nil, fmt.Errorf("machine %s is running already (%w); choose another name", name, unix.EADDRINUSE)
	} else if err != nil {
		return nil, err
	}
	// No other user can reach the socket before this: see lock.
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// sweep removes the sockets of a locked directory that no process listens on. It
// returns the names of the running machines.
func sweep(dir string) (running []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), suffix)
		if !ok || e.Type() != fs.ModeSocket {
			continue
		}
		path := filepath.Join(dir, e.Name())
		conn, err := net.DialTimeout("unix", path, time.Second)
		switch {
		case err == nil:
			conn.Close()
		case errors.Is(err, unix.ECONNREFUSED):
			if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
			continue
		case errors.Is(err, fs.ErrNotExist):
			continue // it ended just now
		}
		running = append(running, name)
	}
	return running, nil
}

// Find returns the path of a machine's socket. With the name "", it is the
// machine of $UDRM_CONTROL or else the user's only running machine.
func Find(name string) (path string, err error) {
	if name == "" {
		if path := os.Getenv(Environment); path != "" {
			return path, nil
		}
	} else if err := CheckName(name); err != nil {
		return "", err
	}
	var all []string
	for _, dir := range directories() {
		locked, err := lock(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return "", err
		}
		running, err := sweep(dir)
		locked.Close()
		if err != nil {
			return "", err
		}
		if slices.Contains(running, name) || name == "" && len(running) == 1 {
			found := name
			if found == "" {
				found = running[0]
			}
			return filepath.Join(dir, found+suffix), nil
		}
		all = append(all, running...)
		if name == "" && len(running) > 0 {
			break
		}
	}
	switch {
	case len(all) == 0 && name == "":
		return "", errors.New("no machine of yours is running; start one, such as: udrm run -- PROGRAM")
	case len(all) == 0:
		return "", fmt.Errorf("no machine %s is running; start one, such as: udrm run --name %s -- PROGRAM", name, name)
	case name == "":
		return "", fmt.Errorf("%d machines are running: %s; choose one with --machine NAME", len(all), strings.Join(all, ", "))
	}
	return "", fmt.Errorf("no machine %s is running; running are %s", name, strings.Join(all, ", "))
}
