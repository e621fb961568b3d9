package host

import (
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/thread"
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

func (c *call) testLandlock(path string, flags int, open string) {
	root := c.host.shadow.Root()
	candidates := []string{root + path}
	if n, _ := c.host.tree.Load().Lookup(filepath.Dir(path)); n != nil {
		// The copy exists once its directory was listed.
		if fd, err := c.host.shadow.Open(filepath.Dir(path), n.Entries()); err == nil {
			_ = unix.Close(fd)
		}
	}
	directory := flags&unix.O_DIRECTORY != 0
	if n, _ := c.host.tree.Load().Lookup(path); n != nil && n.Own() {
		directory = true
		if fd, err := c.host.shadow.Open(path, n.Entries()); err == nil {
			_ = unix.Close(fd)
		}
	}
	switch {
	case strings.HasPrefix(path, "/dev/") && directory:
		candidates = append(candidates, "/dev")
	case strings.HasPrefix(path, "/dev/"):
		candidates = append(candidates, "/dev/null")
	case strings.HasPrefix(path, "/sys/") && directory:
		candidates = append(candidates, "/sys")
	case strings.HasPrefix(path, "/sys/") && flags&unix.O_ACCMODE == unix.O_RDONLY:
		candidates = append(candidates, "/sys/kernel/uevent_seqnum")
	}
	access := uint64(flags&(unix.O_ACCMODE) | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC)
	if directory {
		access |= unix.O_DIRECTORY
	}
	// The private directory may lie in /dev/shm: then a rule for /dev covers it,
	// and the copy of a file of /sys proves nothing.
	inDev := strings.HasPrefix(path, "/dev/")
	candidates = append(candidates, root)
	c.withPath(strings.Join(candidates, "\x00"), func(x *thread.Tracee, addr uint64) (int64, error) {
		rootAddr := addr + uint64(len(strings.Join(candidates[:len(candidates)-1], "\x00"))) + 1
		for i, candidate := range candidates[:len(candidates)-1] {
			if i == 0 && !inDev {
				fd, err := x.Syscall(unix.SYS_OPENAT, [6]uint64{cookieCWD, rootAddr, unix.O_DIRECTORY | unix.O_CLOEXEC})
				if err == nil && fd >= 0 {
					_, err = x.Syscall(unix.SYS_CLOSE, [6]uint64{uint64(fd)})
				}
				if err != nil {
					return 0, err
				}
				if fd >= 0 {
					addr += uint64(len(candidate)) + 1
					continue
				}
			}
			fd, err := x.Syscall(unix.SYS_OPENAT, [6]uint64{cookieCWD, addr, access})
			if err != nil {
				return 0, err
			}
			if fd >= 0 {
				_, err = x.Syscall(unix.SYS_CLOSE, [6]uint64{uint64(fd)})
			}
			if err != nil || fd != -int64(unix.EACCES) {
				c.host.landlock.pass(c.tid(), open)
				return callAgain, err
			}
			addr += uint64(len(candidate)) + 1
		}
		return -int64(unix.EACCES), nil
	})
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
