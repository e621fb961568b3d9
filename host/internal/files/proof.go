package files

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// The kernel numbers pipes with 32 bits and does not check whether a number is
// in use. A program that makes 2^32 pipes gets one with the number of another
// program's file. So a number only says which file a pipe may be.
//
// Invariant: proves returns true only for the pipe of the file.
//
// Why it holds: an inotify instance has one watch for an inode (inotify(7)).
// The kernel compares the inodes themselves, not their numbers. Adding a watch
// for a path thus returns the watch of the file exactly when the path leads to
// its pipe. The watch keeps the inode, so no other takes its place.

// watchMask selects no event that a pipe can have.
const watchMask = unix.IN_DELETE_SELF

// MaxWatches returns how many inotify watches a user may have, or 0 if that is
// unknown.
func MaxWatches() int64 {
	text, err := os.ReadFile("/proc/sys/fs/inotify/max_user_watches")
	if err != nil {
		return 0
	}
	n, _ := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return n
}

// watchPipe returns the watch of a new pipe, or -1 when the user has no watches
// left (fs.inotify.max_user_watches).
func (t *Table) watchPipe(fd int) int {
	watch, err := unix.InotifyAddWatch(t.inotify, fmt.Sprintf("/proc/self/fd/%d", fd), watchMask)
	if err != nil {
		t.unwatched.Do(func() {
			t.log.Warn("host: no inotify watch left; files are recognized by 32-bit numbers, which wrap", "err", err)
		})
		return -1
	}
	return watch
}

// unwatchPipe removes a watch.
func (t *Table) unwatchPipe(watch int) {
	_, _ = unix.InotifyRmWatch(t.inotify, uint32(watch))
	var ignored [16 * unix.SizeofInotifyEvent]byte // each removal is reported
	_, _ = unix.Read(t.inotify, ignored[:])
}

// proves reports whether the pipe at path is that of f.
func (t *Table) proves(f *File, path string) bool {
	if f.watch < 0 {
		return true
	}
	watch, err := unix.InotifyAddWatch(t.inotify, path, watchMask)
	if err != nil {
		return false
	}
	if watch == f.watch {
		return true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byWatch[watch] == nil { // a foreign file with the same number
		t.unwatchPipe(watch)
	}
	return false
}
