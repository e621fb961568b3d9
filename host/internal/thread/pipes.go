package thread

import (
	"strconv"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Pipe returns the inode of the pipe that a descriptor of a thread refers to, or 0
// if it is something else, or is open with O_PATH. It reports false if it cannot
// tell: then ask [FDs.Link].
//
// It takes half as long as Link. It keeps the file of /proc that describes the
// descriptor, for which a thread must use the descriptor twice in a row.
func (f *FDs) Pipe(t ID, fd int) (inode uint64, ok bool) {
	d := &f.dirs[int(t)%len(f.dirs)]
	if d.id != t || fd < 0 {
		return 0, false
	}
	i := &f.infos[(fd+int(t)*slotsApart)%len(f.infos)]
	if i.kept != d.kept || i.fd != fd {
		i.close()
		i.kept, i.fd = d.kept, fd
		return 0, false
	}
	if i.file == 0 && !f.openInfo(t, i) {
		return 0, false
	}
	// A read at the start shows what the descriptor refers to now.
	var text [128]byte
	n, err := unix.Pread(i.file, text[:], 0)
	if err != nil {
		i.close() // the descriptor is closed, or the thread has ended
		return 0, false
	}
	info, err := parseFDInfo(text[:n])
	if err != nil {
		return 0, false
	}
	switch pipes, ok := pipeMount(); {
	case !ok:
		return 0, false
	case info.mount != pipes || info.flags&unix.O_PATH != 0:
		return 0, true
	}
	return info.inode, true
}

// slotsApart is how many descriptors of a thread have slots that those of the next
// thread do not take.
const slotsApart = 32

// openInfo opens the file that describes a descriptor of a recent thread.
func (f *FDs) openInfo(t ID, i *keptInfo) bool {
	kept, fd := i.kept, i.fd
	file, err := f.open(t.path("fdinfo/"+strconv.Itoa(fd)), unix.O_RDONLY)
	if err != nil {
		return false
	}
	// As long as the thread of the kept directory exists, no other has its id.
	var buf [1]byte
	if _, exists := f.link(t, rootName, buf[:]); !exists {
		closeKept(file)
		return false
	}
	*i = keptInfo{kept, fd, file}
	return true
}

// pipes is the mount that all pipes are on, and nothing else. 0: not found out yet.
var pipes atomic.Uint64

// pipeMount returns it. It reports false if it cannot tell now: no descriptor may be
// left.
func pipeMount() (mount uint64, ok bool) {
	if mount := pipes.Load(); mount != 0 {
		return mount, true
	}
	var pipe [2]int
	if unix.Pipe2(pipe[:], unix.O_CLOEXEC) != nil {
		return 0, false
	}
	defer unix.Close(pipe[0])
	defer unix.Close(pipe[1])
	info, err := ID(unix.Getpid()).fdInfo(pipe[0])
	if err != nil {
		return 0, false
	}
	pipes.Store(info.mount)
	return info.mount, true
}

// A keptInfo is a file /proc/TID/fdinfo/N.
type keptInfo struct {
	kept uint64 // of the thread's directory
	fd   int
	file int // 0: not open
}

func (i *keptInfo) close() {
	if i.file != 0 {
		closeKept(i.file)
	}
	*i = keptInfo{}
}
