package mounts

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// A Namespace is a mount namespace with two FUSE file systems.
type Namespace struct {
	ns    int // the namespace
	roots Roots
}

// Roots are the roots of the file systems, O_PATH descriptors. Both have all virtual
// files; each shows a part of them.
type Roots struct {
	// Files shows the files that are not below /dev. Its server is asked who may
	// open them.
	Files int

	// Devices shows those below /dev. The kernel checks the permissions, for which
	// it asks the server for them: so the server hears of each open, also by a bind
	// mount. Devices can be opened: the server must refuse that.
	Devices int

	// Namespace is the inode of the namespace.
	Namespace uint64
}

// Of returns the root of the file system that shows a path.
func (r Roots) Of(path string) int {
	if InDevices(path) {
		return r.Devices
	}
	return r.Files
}

func (r Roots) close() error { return errors.Join(unix.Close(r.Files), unix.Close(r.Devices)) }

// InDevices reports whether the file system of devices shows a path.
func InDevices(path string) bool { return strings.HasPrefix(path, "/dev/") }

// New makes a namespace. It returns the connections of the file systems too, in
// the order of [Roots], which the caller passes to servers and closes. It takes
// CAP_SYS_ADMIN.
func New() (n *Namespace, connections [2]int, err error) {
	err = onThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
			return os.NewSyscallError("unshare", err)
		}
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
			return os.NewSyscallError("mount", err)
		}
		ns, err := unix.Open("/proc/thread-self/ns/mnt", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return &os.PathError{Op: "open", Path: "/proc/thread-self/ns/mnt", Err: err}
		}
		var st unix.Stat_t
		if err := unix.Fstat(ns, &st); err != nil {
			return errors.Join(os.NewSyscallError("fstat", err), unix.Close(ns))
		}
		files, connection, err := newFUSE(unix.MOUNT_ATTR_NODEV)
		if err != nil {
			return errors.Join(err, unix.Close(ns))
		}
		devices, second, err := newFUSE(0, [2]string{"default_permissions"})
		if err != nil {
			return errors.Join(err, unix.Close(files), unix.Close(connection), unix.Close(ns))
		}
		n, connections = &Namespace{ns: ns, roots: Roots{files, devices, st.Ino}}, [2]int{connection, second}
		return nil
	})
	if err != nil {
		return nil, connections, err
	}
	if err := n.try(); err != nil {
		return nil, connections, errors.Join(err, unix.Close(connections[0]), unix.Close(connections[1]), n.Close())
	}
	return n, connections, nil
}

// try finds out, in a copy of the namespace, whether threads can enter it and mount
// over directories.
func (n *Namespace) try() error {
	return onThread(func() error {
		if err := n.Enter(); err != nil {
			return err
		}
		if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
			return os.NewSyscallError("unshare", err)
		}
		unix.Umask(0)
		return n.cover(&Cover{Path: "/dev", Tmpfs: true})
	})
}

// Roots returns the roots of the file systems, which belong to the namespace.
func (n *Namespace) Roots() Roots { return n.roots }

// Close closes the descriptors of the namespace. Programs keep it.
func (n *Namespace) Close() error { return errors.Join(unix.Close(n.ns), n.roots.close()) }

// newFUSE returns the root of a new file system, and the connection.
func newFUSE(attributes int, options ...[2]string) (root, connection int, err error) {
	connection, err = unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, -1, &os.PathError{Op: "open", Path: "/dev/fuse", Err: err}
	}
	root, err = newMount("fuse", attributes, append(options, [][2]string{
		{"fd", fmt.Sprint(connection)}, {"rootmode", "40000"}, {"user_id", "0"}, {"group_id", "0"},
		{"allow_other"}, {"source", "udrm"}, {"subtype", "udrm"},
	}...))
	if err != nil {
		return -1, -1, errors.Join(err, unix.Close(connection))
	}
	return root, connection, nil
}

// newMount returns a descriptor of a new file system that is mounted nowhere.
func newMount(kind string, attributes int, options [][2]string) (int, error) {
	context, err := unix.Fsopen(kind, unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("fsopen of %s: %w", kind, err)
	}
	defer unix.Close(context)
	for _, o := range options {
		if o[1] == "" {
			err = unix.FsconfigSetFlag(context, o[0])
		} else {
			err = unix.FsconfigSetString(context, o[0], o[1])
		}
		if err != nil {
			return -1, fmt.Errorf("fsconfig of %s, %s=%s: %w", kind, o[0], o[1], err)
		}
	}
	if err := unix.FsconfigCreate(context); err != nil {
		return -1, fmt.Errorf("fsconfig of %s: %w", kind, err)
	}
	mount, err := unix.Fsmount(context, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NOEXEC|attributes)
	if err != nil {
		return -1, fmt.Errorf("fsmount of %s: %w", kind, err)
	}
	return mount, nil
}

// Enter moves the calling thread into the namespace, which keeps its working
// directory by name. The thread must be locked to its goroutine and end with it.
func (n *Namespace) Enter() error {
	var before, after unix.Stat_t
	dir, err := unix.Getwd()
	if err == nil {
		err = unix.Stat("/", &before)
	}
	if err == nil {
		err = unix.Unshare(unix.CLONE_FS)
	}
	if err != nil {
		return fmt.Errorf("entering the mount namespace: %w", err)
	}
	if err := unix.Setns(n.ns, unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("entering the mount namespace: setns: %w", err)
	}
	if err := unix.Stat("/", &after); err != nil || before.Dev != after.Dev || before.Ino != after.Ino {
		return errors.New("entering the mount namespace: this process has another root than its mount namespace")
	}
	if err := unix.Chdir(dir); err != nil {
		return fmt.Errorf("entering the mount namespace: %w", &os.PathError{Op: "chdir", Path: dir, Err: err})
	}
	return nil
}

// onThread runs f on a thread that ends afterwards.
func onThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // for good
		if unix.Gettid() == unix.Getpid() {
			// The main thread cannot end: use another one.
			err := onThread(f)
			runtime.UnlockOSThread()
			done <- err
			return
		}
		done <- f()
	}()
	return <-done
}
