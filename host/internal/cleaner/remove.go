package cleaner

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// A removal is a directory or a socket to remove.
type removal struct {
	path   string
	socket unix.Stat_t // Mode is 0 for a directory
}

func newRemoval(path string) removal {
	r := removal{path: path}
	if unix.Lstat(path, &r.socket) != nil || r.socket.Mode&unix.S_IFMT != unix.S_IFSOCK {
		r.socket.Mode = 0
	}
	return r
}

// replaced reports whether there is another file than the socket. The next host can
// have a socket with the same name before this cleaner is done. Inode numbers come
// again, so the time counts, too.
func (r *removal) replaced() bool {
	var st unix.Stat_t
	err := unix.Lstat(r.path, &st)
	return r.socket.Mode != 0 && (err != nil || st.Dev != r.socket.Dev || st.Ino != r.socket.Ino || st.Ctim != r.socket.Ctim)
}

func (r *run) removeAll() (err error) {
	for i := range r.remove {
		if m := &r.remove[i]; m.path != "" && !m.replaced() {
			err = errors.Join(err, os.RemoveAll(m.path))
		}
	}
	return err
}
