// Package snapshot makes the files that programs get for virtual files: each
// holds the content that the virtual file had when it was opened.
//
// A snapshot is a memfd. Its device and inode identify it: the kernel never
// reuses the inode of a memfd, which has 64 bits. Its name only makes it likely
// that a file is a snapshot, as any program may name a memfd alike.
package snapshot

import (
	"bytes"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/internal/pollfd"
)

// maxKnown bounds the snapshots that are remembered. One that is forgotten is
// an ordinary file from then on: its content stays right, and stat shows a
// memfd.
const maxKnown = 1 << 16

// prefix begins the names of snapshots, as links of /proc show them.
const prefix = "udrm:"

// Set is a set of snapshots. The zero value is empty. All methods may be called
// concurrently.
type Set struct {
	mu    sync.Mutex
	paths map[pollfd.ID]string
	order []pollfd.ID // a ring: the oldest is at next once it is full
	next  int
}

// Open makes a snapshot of the virtual file at path and returns a descriptor of
// it that can be read. The caller closes it.
func (s *Set) Open(path, content string) (int, error) {
	memfd, err := unix.MemfdCreate(prefix+path, unix.MFD_CLOEXEC|unix.MFD_NOEXEC_SEAL)
	if err == unix.EINVAL { // before Linux 6.3
		memfd, err = unix.MemfdCreate(prefix+path, unix.MFD_CLOEXEC)
	}
	if err != nil {
		return -1, err
	}
	defer unix.Close(memfd)
	if content != "" {
		if _, err := unix.Write(memfd, []byte(content)); err != nil {
			return -1, err
		}
	}
	var st unix.Stat_t
	if err := unix.Fstat(memfd, &st); err != nil {
		return -1, err
	}
	fd, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", memfd), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err == nil {
		s.add(pollfd.IDOf(&st), path)
	}
	return fd, err
}

func (s *Set) add(id pollfd.ID, path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.paths == nil {
		s.paths = make(map[pollfd.ID]string)
	}
	if len(s.order) < maxKnown {
		s.order = append(s.order, id)
	} else {
		delete(s.paths, s.order[s.next])
		s.order[s.next] = id
		s.next = (s.next + 1) % maxKnown
	}
	s.paths[id] = path
}

// Named reports whether a link of /proc may be that of a snapshot. [Set.Path]
// decides.
func (s *Set) Named(link []byte) bool {
	return bytes.HasPrefix(link, []byte("/memfd:"+prefix))
}

// Path returns the virtual path of a snapshot, or "".
func (s *Set) Path(id pollfd.ID) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.paths[id]
}
