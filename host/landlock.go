package host

import (
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/thread"
	"github.com/udrm/udrm/host/internal/vfs"
)

// A program may restrict itself with Landlock. The kernel then checks each open
// of a real file, but not what this process gives to the program, and it does
// not tell which threads are restricted. So from the first restriction by any
// program on, a thread that opens a virtual file must first open a real one at
// a similar place itself: the copy of the file in the private directory, to
// which a rule for /dev/dri applies, or a file of the same file system.
//
// The thread makes the call again after the test, which is then served.

// landlock is the state of these tests.
type landlock struct {
	used atomic.Bool

	mu     sync.Mutex
	passed map[thread.ID]string // the open that the thread may make next
}

// restrictSelf notes that a program restricts itself.
func (c *call) restrictSelf() {
	c.host.landlock.used.Store(true)
	c.proceed()
}

// landlocked reports whether the call is answered because the thread must pass
// the test for an open first, or has failed it. If not, the caller serves the
// open.
func (c *call) landlocked(path string, flags int) (answered bool) {
	l := &c.host.landlock
	if !l.used.Load() || flags&unix.O_PATH != 0 {
		return false
	}
	open := path + " " + [...]string{"r", "w", "rw", "rw"}[flags&unix.O_ACCMODE]
	l.mu.Lock()
	passed := l.passed[c.tid()] == open
	delete(l.passed, c.tid())
	l.mu.Unlock()
	if passed {
		return false
	}
	c.testLandlock(path, flags, open)
	return true
}

// A landlockTest is a file for the test: the thread may open the virtual file if
// it may open this one.
type landlockTest struct {
	copied bool // in the private directory
	path   string
}

func (c *call) testLandlock(path string, flags int, open string) {
	shadow := c.host.shadow
	copies, err := shadow.OpenRoot()
	if err != nil {
		c.fail(err)
		return
	}
	defer unix.Close(copies)
	tests, directory := c.landlockTests(path, flags)
	access := uint64(flags&(unix.O_ACCMODE) | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC)
	if directory {
		access |= unix.O_DIRECTORY
	}
	var paths []byte
	for _, t := range tests {
		paths = append(append(paths, t.path...), 0)
	}
	dot := uint64(len(paths))
	// A private directory with a path may lie in /dev/shm: then a rule for /dev
	// covers it, and the copy of a file of /sys proves nothing.
	covered := shadow.Root() != "" && !strings.HasPrefix(path, "/dev/")
	c.withFileAndPath(copies, string(paths)+".", func(x *thread.Tracee, copies int, addr uint64) (int64, error) {
		copiesCookie := pathCookie<<32 | uint64(uint32(copies))
		tryOpen := func(dir, path, flags uint64) (int64, error) {
			fd, err := x.Syscall(unix.SYS_OPENAT, [6]uint64{dir, path, flags})
			if err == nil && fd >= 0 {
				_, err = x.Syscall(unix.SYS_CLOSE, [6]uint64{uint64(fd)})
			}
			return fd, err
		}
		if covered {
			fd, err := tryOpen(copiesCookie, addr+dot, unix.O_DIRECTORY|unix.O_CLOEXEC)
			if err != nil {
				return 0, err
			}
			covered = fd >= 0
		}
		for _, t := range tests {
			dir := uint64(cookieCWD)
			if t.copied {
				dir = copiesCookie
			}
			if !t.copied || !covered {
				fd, err := tryOpen(dir, addr, access)
				if err != nil {
					return 0, err
				}
				if fd >= 0 || fd == -int64(unix.ENXIO) { // ENXIO: the copy of a device
					c.host.landlock.pass(c.tid(), open)
					return callAgain, nil
				}
			}
			addr += uint64(len(t.path)) + 1
		}
		return -int64(unix.EACCES), nil
	})
}

// landlockTests returns the tests for an open, and whether they are directories.
func (c *call) landlockTests(path string, flags int) (tests []landlockTest, directory bool) {
	tree, shadow := c.host.tree.Load(), c.host.shadow
	if n, _ := tree.Lookup(filepath.Dir(path)); n != nil {
		// The copy exists once its directory was listed.
		if fd, err := shadow.Open(filepath.Dir(path), n.Entries()); err == nil {
			_ = unix.Close(fd)
		}
	}
	directory = flags&unix.O_DIRECTORY != 0
	if n, _ := tree.Lookup(path); n != nil && n.Kind == vfs.Dir {
		directory = true
		if !n.Own() {
			tests = append(tests, landlockTest{path: path})
		} else if fd, err := shadow.Open(path, n.Entries()); err == nil {
			_ = unix.Close(fd)
		}
	}
	tests = append(tests, landlockTest{copied: true, path: strings.TrimPrefix(path, "/")})
	switch {
	case strings.HasPrefix(path, "/dev/") && directory:
		tests = append(tests, landlockTest{path: "/dev"})
	case strings.HasPrefix(path, "/dev/"):
		tests = append(tests, landlockTest{path: "/dev/null"})
	case strings.HasPrefix(path, "/sys/") && directory:
		tests = append(tests, landlockTest{path: "/sys"})
	case strings.HasPrefix(path, "/sys/") && flags&unix.O_ACCMODE == unix.O_RDONLY:
		tests = append(tests, landlockTest{path: "/sys/kernel/uevent_seqnum"})
	}
	return tests, directory
}

// maxPassed bounds the passed tests whose calls have not come yet: threads may
// have ended.
const maxPassed = 1024

func (l *landlock) pass(tid thread.ID, open string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.passed == nil || len(l.passed) >= maxPassed {
		l.passed = make(map[thread.ID]string)
	}
	l.passed[tid] = open
}
