package host

import (
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/shadow"
	"github.com/udrm/udrm/host/internal/thread"
	"github.com/udrm/udrm/host/internal/vfs"
	"github.com/udrm/udrm/internal/pollfd"
)

// A program may restrict itself with Landlock. The kernel then checks each open
// of a real file, but not what this process gives to the program, and it does
// not tell which threads are restricted. So from the first restriction by any
// program on, a thread that opens a virtual file must first open a real one at
// a similar place itself: a new file beside the copy in the private directory, to
// which a rule for /dev/dri applies, or a file of the same file system. Where the
// files are mounted, it is a new file beside the virtual one (fresh.go).
//
// The thread makes the call again after the test, which is then served.
//
// Invariant: a thread passes only if its rules allow the open.
//
// Why it holds: other threads of the program may change its memory, its code and
// its descriptors during the test. But the calls are checked when the kernel has
// taken their arguments (thread.Tracee.Syscall), the paths are in memory that
// they cannot change (thread.Texts), and a file in the private directory counts
// only if the thread's new descriptor is of a file that was made for this test.
// Before Linux 6.10 the paths are in ordinary memory.

// landlock is the state of these tests.
type landlock struct {
	used atomic.Bool

	texts     func() *thread.Texts // nil where the kernel does not have them
	freeTexts func()

	mu           sync.Mutex
	restrictions int                      // of all programs
	passed       map[thread.ID]passedOpen // the open that the thread may make next
}

// A passedOpen is an open that has passed its test.
type passedOpen struct {
	open    string
	noIoctl bool // the rules allow no requests to the device
	started uint64
}

func (l *landlock) init(log *slog.Logger) {
	l.freeTexts = func() {}
	l.texts = sync.OnceValue(func() *thread.Texts {
		t, err := thread.NewTexts()
		if err != nil {
			log.Debug("host: Landlock tests use memory that programs can change", "err", err)
			return nil
		}
		l.freeTexts = t.Close
		return t
	})
}

// restrictSelf notes that a program restricts itself. What has passed a test
// before passes no longer.
func (c *call) restrictSelf() {
	l := &c.host.landlock
	l.used.Store(true)
	l.mu.Lock()
	l.restrictions++
	clear(l.passed)
	l.mu.Unlock()
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
	passed, restrictions := l.passed[c.tid()], l.restrictions
	delete(l.passed, c.tid())
	l.mu.Unlock()
	started := c.tid().Started() // another thread may have the id of a killed one
	if passed.open == open && passed.started == started {
		c.noIoctl = passed.noIoctl
		return false
	}
	c.testLandlock(path, flags, func(noIoctl bool) { l.pass(c.tid(), passedOpen{open, noIoctl, started}, restrictions) })
	return true
}

// testLandlock makes the thread make its tests. pass is called if it passes.
func (c *call) testLandlock(path string, flags int, pass func(noIoctl bool)) {
	tests, directory := c.landlockTests(path, flags)
	var beside freshFile
	if c.host.mounts != nil && !slices.Contains(writableTops, filepath.Dir(path)) {
		beside = c.host.mounts.files.fresh.make(filepath.Dir(path))
		defer c.host.mounts.files.fresh.remove(beside)
		tests = []landlockTest{{path: "/dev/null", device: true, requests: true}, {path: beside.path, virtual: true}}
	}
	access := uint64(flags&unix.O_ACCMODE | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC)
	dir := filepath.Dir(path)
	if directory {
		access |= unix.O_DIRECTORY
		dir = path
	}
	copies, err := c.host.shadow.OpenRoot()
	if err != nil {
		c.fail(err)
		return
	}
	defer unix.Close(copies)
	fresh, err := c.host.shadow.Fresh(dir, directory)
	if err != nil {
		c.fail(err)
		return
	}
	defer fresh.Remove()
	r := landlockRun{tests: tests, fresh: fresh, beside: beside, access: access}
	// A private directory with a path may lie in /dev/shm: then a rule for /dev
	// covers it, and the copy of a file of /sys proves nothing.
	root := c.host.shadow.Root()
	r.maybeCovered = root != "" && !strings.HasPrefix(path, "/dev/")
	text := append([]byte(root), 0)
	for _, t := range tests {
		r.offsets = append(r.offsets, uint64(len(text)))
		if t.copied {
			t.path = fresh.Path
		}
		text = append(append(text, t.path...), 0)
	}
	c.withText(text, copies, func(x *thread.Tracee, copies int, text uint64) (result int64, err error) {
		passes, noIoctl, err := c.runLandlock(x, &r, copies, text)
		switch {
		case err != nil:
			return 0, err
		case !passes:
			return -int64(unix.EACCES), nil
		}
		pass(noIoctl)
		return callAgain, nil
	})
}

// A landlockRun is what the tests of one open need.
type landlockRun struct {
	tests        []landlockTest
	offsets      []uint64 // of their paths, in the text behind the private directory
	fresh        *shadow.Fresh
	beside       freshFile
	access       uint64 // flags of open(2)
	maybeCovered bool   // the private directory may be covered by a rule for another one
}

// runLandlock makes the thread open the files of the tests. copies is its descriptor
// of the private directory.
func (c *call) runLandlock(x *thread.Tracee, r *landlockRun, copies int, text uint64) (passes, noIoctl bool, err error) {
	var fd int64
	open := func(dir, path, access uint64) error {
		fd, err = x.Syscall(unix.SYS_OPENAT, [6]uint64{dir, path, access})
		return err
	}
	closeFD := func() error {
		_, err := x.Syscall(unix.SYS_CLOSE, [6]uint64{uint64(fd)})
		return err
	}
	covered := r.maybeCovered
	if covered {
		if err := open(cookieCWD, text, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC); err != nil {
			return false, false, err
		}
		if covered = fd >= 0; covered {
			if err := closeFD(); err != nil {
				return false, false, err
			}
		}
	}
	opened, denied := false, false
	for i, t := range r.tests {
		dir := uint64(cookieCWD)
		if t.copied {
			dir = pathCookie<<32 | uint64(uint32(copies))
			if covered {
				continue
			}
		}
		if err := open(dir, text+r.offsets[i], r.access); err != nil {
			return false, false, err
		}
		if t.together {
			denied = denied || fd == -int64(unix.EACCES)
			opened = opened || fd >= 0
		}
		if fd < 0 {
			continue
		}
		var st unix.Stat_t
		suits := !t.copied && !t.virtual || c.tid().IdentifyFD(int32(fd), &st) == nil &&
			(t.copied && pollfd.IDOf(&st) == r.fresh.ID || t.virtual && c.host.mounts.has(r.beside, &st))
		if t.device {
			// No device has this request, so it changes nothing.
			answer, err := x.Syscall(unix.SYS_IOCTL, [6]uint64{uint64(fd), 0})
			if err != nil {
				return false, false, err
			}
			noIoctl = answer == -int64(unix.EACCES)
		}
		if err := closeFD(); err != nil {
			return false, false, err
		}
		if suits && !t.requests && !t.together {
			return true, noIoctl, nil
		}
	}
	return opened && !denied, noIoctl, nil
}

// withText makes the thread run system calls while text stands in its memory,
// which other threads cannot change if the kernel allows that, and while it has
// a descriptor of the file behind fd. The result of run becomes that of the call
// that the thread waits in. It answers the call.
func (c *call) withText(content []byte, fd int, run func(x *thread.Tracee, fd int, text uint64) (int64, error)) {
	give := []int{fd}
	texts := c.host.landlock.texts()
	var text *thread.Text
	if texts != nil {
		if text = texts.Take(content); text == nil {
			c.fail(unix.ENOMEM)
			return
		}
		defer text.Release()
		give = append(give, texts.FD())
	}
	x, err := c.tid().Trace()
	if err != nil { // a debugger can be part of the program, and change what is seen
		c.fail(unix.EACCES)
		return
	}
	c.answered = true
	c.makesCompatCalls(x)
	var given []int
	for _, fd := range give {
		g, err := c.give(x, fd)
		if err != nil {
			c.injected(x.Refuse(c.madeNR(), c.n.Data.IP, errnoOf(err), c.release))
			return
		}
		given = append(given, g)
	}
	if err := x.Stop(c.madeNR(), c.n.Data.IP, c.release); err != nil {
		c.injected(err)
		return
	}
	if texts == nil {
		c.injected(c.runWithText(x, content, func(text uint64) (int64, error) { return run(x, given[0], text) }))
		return
	}
	result, err := x.ShowTexts(texts, given[1])
	if err == nil && result >= 0 {
		result, err = run(x, given[0], uint64(result)+text.Offset())
	}
	if err == nil {
		err = c.resume(x, result)
	}
	c.injected(err)
}

// A landlockTest is a file for the test: the thread may open the virtual file if
// it may open this one.
type landlockTest struct {
	copied bool // in the private directory
	device bool // its requests show whether those of the virtual file are allowed

	requests bool   // nothing else follows from it
	together bool   // all of these must pass; one that is missing is left out
	virtual  bool   // a freshFile
	path     string // of a real file
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
	tests = append(tests, landlockTest{copied: true})
	switch {
	case strings.HasPrefix(path, "/dev/") && directory:
		tests = append(tests, landlockTest{path: "/dev"})
	case strings.HasPrefix(path, "/dev/"):
		// A rule may be for one of these alone, rather than for /dev.
		for _, name := range []string{"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"} {
			tests = append(tests, landlockTest{path: name, device: name == "/dev/null", together: true})
		}
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

// pass lets a thread make an open, unless a program has restricted itself since.
func (l *landlock) pass(tid thread.ID, open passedOpen, restrictions int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.restrictions != restrictions {
		return // the thread is tested again
	}
	if l.passed == nil || len(l.passed) >= maxPassed {
		l.passed = make(map[thread.ID]passedOpen)
	}
	l.passed[tid] = open
}
