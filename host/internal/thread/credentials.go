package thread

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Credentials are what the kernel checks when a thread opens a file:
// credentials(7), "File system user ID".
type Credentials struct {
	UID, GID     int // of file systems
	Groups       []int
	Capabilities uint64 // effective, in our user namespace
}

// Has reports whether a capability is effective.
func (c *Credentials) Has(capability uint) bool { return c.Capabilities&(1<<capability) != 0 }

// Credentials returns those of the thread, in our user namespace.
func (t ID) Credentials() (Credentials, error) {
	text, err := t.readFile("status")
	if err != nil {
		return Credentials{}, err
	}
	var c Credentials
	var errs []error
	number := func(text string, base int) uint64 {
		n, err := strconv.ParseUint(text, base, 64)
		errs = append(errs, err)
		return n
	}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(line, ":")
		values := strings.Fields(value)
		switch {
		case key == "Uid" && len(values) == 4: // real, effective, saved, of file systems
			c.UID = int(number(values[3], 10))
		case key == "Gid" && len(values) == 4:
			c.GID = int(number(values[3], 10))
		case key == "Groups":
			for _, g := range values {
				c.Groups = append(c.Groups, int(number(g, 10)))
			}
		case key == "CapEff" && len(values) == 1:
			if c.Capabilities = number(values[0], 16); c.Capabilities != 0 && !t.InOurUserNamespace() {
				c.Capabilities = 0
			}
		}
	}
	return c, errors.Join(errs...)
}

// InOurUserNamespace reports whether the thread is in our user namespace, so
// that its capabilities count here. Any user has all capabilities in a
// namespace of their own.
func (t ID) InOurUserNamespace() bool { return t.inOurNamespace("user") }

// InOurRoot reports whether the thread has our root directory and our mounts.
func (t ID) InOurRoot() bool {
	var buf [unix.PathMax]byte
	root, err := t.RootLink(buf[:])
	return err == nil && string(root) == "/" && t.inOurNamespace("mnt")
}

// InMounts reports whether the thread is in the mount namespace with that inode, and
// has its root directory.
func (t ID) InMounts(inode uint64) bool {
	var buf [unix.PathMax]byte
	root, err := t.RootLink(buf[:])
	return err == nil && string(root) == "/" && t.inNamespace("mnt", fmt.Sprintf("mnt:[%d]", inode))
}

func (t ID) inOurNamespace(kind string) bool { return t.inNamespace(kind, ownNamespaces()[kind]) }

func (t ID) inNamespace(kind, link string) bool {
	var buf [64]byte
	n, err := readlink(unix.AT_FDCWD, []byte(t.path("ns/"+kind+"\x00")), buf[:])
	return err == nil && link != "" && link == string(buf[:n])
}

// ownNamespaces returns the links in /proc of the namespaces of this process,
// which stays in them.
var ownNamespaces = sync.OnceValue(func() map[string]string {
	links := make(map[string]string)
	for _, kind := range []string{"user", "mnt"} {
		links[kind], _ = os.Readlink("/proc/self/ns/" + kind)
	}
	return links
})

// same reports whether both credentials allow to open the same files.
func (c Credentials) same(o Credentials) bool {
	return c.UID == o.UID && c.GID == o.GID && slices.Equal(c.Groups, o.Groups) && c.Capabilities == o.Capabilities
}

// as runs f with the credentials of the thread and returns its error: f can open
// what the thread can. EPERM, without running f, when we may not take the
// credentials.
//
// The calling goroutine must be locked to its OS thread; no other thread
// changes.
func (t ID) as(f func() error) (err error) {
	theirs, err := t.Credentials()
	if err != nil {
		return fmt.Errorf("thread %d: its credentials: %w", t, err)
	}
	ours, err := own()
	if err != nil {
		return fmt.Errorf("our credentials: %w", err)
	}
	less := theirs
	less.Capabilities = ours.Capabilities & theirs.Capabilities
	if less.same(ours) {
		return f()
	}
	// Capabilities go last and come back first: the others need them.
	// If this fails, the thread goes on with less than it had.
	defer func() {
		back := errors.Join(setCapabilities(ours.Capabilities), ours.assume(less))
		if back != nil {
			spoiled.Store(ID(unix.Gettid()), struct{}{})
		}
		if err == nil {
			err = back
		}
	}()
	if err := less.assume(ours); err != nil {
		return err
	}
	if err := setCapabilities(less.Capabilities); err != nil {
		return err
	}
	return f()
}

// own returns the credentials of this process, which must not change them once
// it serves programs.
var own = sync.OnceValues(func() (Credentials, error) { return ID(os.Getpid()).Credentials() })

// assume sets the ids to those of c where they differ from now.
func (c Credentials) assume(now Credentials) error {
	if !slices.Equal(c.Groups, now.Groups) {
		if err := unix.Setgroups(c.Groups); err != nil {
			return fmt.Errorf("setgroups: %w", err)
		}
	}
	// Neither call reports an error: the second call of each returns the
	// current id.
	if c.GID != now.GID {
		_, _ = unix.SetfsgidRetGid(c.GID)
		if got, _ := unix.SetfsgidRetGid(-1); got != c.GID {
			return fmt.Errorf("setfsgid(%d): %w", c.GID, unix.EPERM)
		}
	}
	if c.UID != now.UID {
		_, _ = unix.SetfsuidRetUid(c.UID)
		if got, _ := unix.SetfsuidRetUid(-1); got != c.UID {
			return fmt.Errorf("setfsuid(%d): %w", c.UID, unix.EPERM)
		}
	}
	return nil
}

// setCapabilities sets the effective capabilities of the calling thread.
func setCapabilities(effective uint64) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return fmt.Errorf("capget: %w", err)
	}
	data[0].Effective, data[1].Effective = uint32(effective), uint32(effective>>32)
	if err := unix.Capset(&header, &data[0]); err != nil {
		return fmt.Errorf("capset: %w", err)
	}
	return nil
}
