// Package snapshot makes the files that programs get for virtual files: each
// holds the content that the virtual file had when it was opened.
//
// A snapshot is a memfd. Its name tells the path of the virtual file. As any
// program may name a memfd alike, the name proves nothing. The proof is the time
// of modification: a code of the file's identity and name that only this process
// can compute. So nothing is kept for a snapshot, however many programs have
// open.
//
// Invariant: [Set.Path] returns a path only for a snapshot of the set.
//
// Why it holds: the kernel never reuses the inode of a memfd, which has 64 bits,
// and does not change its name. So the code of one file fits no other, and to
// compute one takes the key.
package snapshot

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// prefix begins the names of snapshots, and nameStart and nameEnd surround them
// in links of /proc.
const (
	prefix    = "udrm:"
	nameStart = "/memfd:" + prefix
	nameEnd   = " (deleted)"
)

// seals keep the content as it is, for programs that pass the file on.
const seals = unix.F_SEAL_WRITE | unix.F_SEAL_GROW | unix.F_SEAL_SHRINK | unix.F_SEAL_SEAL

// A Set recognizes the snapshots that it has made. Its methods may be called
// concurrently.
type Set struct {
	key []byte
	any atomic.Bool // Open was called
}

// New returns a set.
func New() *Set {
	s := &Set{key: make([]byte, sha256.Size)}
	rand.Read(s.key)
	return s
}

// settable are the flags of open(2) that a descriptor of a snapshot takes over.
const settable = unix.O_APPEND | unix.O_NONBLOCK | unix.O_NOATIME | unix.O_SYNC

// Open makes a snapshot of the virtual file at path and returns a descriptor of
// it that can be read. With O_PATH in flags, which are those of open(2), it can be
// neither read nor written. The caller closes it.
func (s *Set) Open(path, content string, flags int) (int, error) {
	s.any.Store(true)
	const made = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	memfd, err := unix.MemfdCreate(prefix+path, made|unix.MFD_NOEXEC_SEAL)
	if err == unix.EINVAL { // before Linux 6.3
		memfd, err = unix.MemfdCreate(prefix+path, made)
	}
	if err != nil {
		return -1, err
	}
	defer unix.Close(memfd)
	for rest := content; rest != ""; {
		n, err := unix.Write(memfd, []byte(rest))
		if err != nil {
			return -1, err
		}
		rest = rest[n:]
	}
	if _, err := unix.FcntlInt(uintptr(memfd), unix.F_ADD_SEALS, seals); err != nil {
		return -1, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(memfd, &st); err != nil {
		return -1, err
	}
	file := fmt.Sprintf("/proc/self/fd/%d", memfd)
	code := s.code(&st, path)
	if err := unix.UtimesNanoAt(unix.AT_FDCWD, file, []unix.Timespec{{Nsec: unix.UTIME_OMIT}, code}, 0); err != nil {
		return -1, err
	}
	mode := unix.O_RDONLY | flags&settable
	if flags&unix.O_PATH != 0 {
		mode = unix.O_ACCMODE // for neither, as device drivers use it
	}
	return unix.Open(file, mode|unix.O_CLOEXEC, 0)
}

// Any reports whether the set may have made a snapshot.
func (s *Set) Any() bool { return s.any.Load() }

// code returns the time of modification of the snapshot with this identity.
func (s *Set) code(st *unix.Stat_t, path string) unix.Timespec {
	h := hmac.New(sha256.New, s.key)
	var id [16]byte
	binary.NativeEndian.PutUint64(id[0:], st.Dev)
	binary.NativeEndian.PutUint64(id[8:], st.Ino)
	h.Write(id[:])
	h.Write([]byte(path))
	sum := h.Sum(nil)
	const second = 1e9
	return unix.Timespec{
		Sec:  int64(binary.NativeEndian.Uint64(sum[0:]) >> 1),
		Nsec: int64(binary.NativeEndian.Uint64(sum[8:]) % second),
	}
}

// Named reports whether a link of /proc may be that of a snapshot. [Set.Path]
// decides.
func Named(link []byte) bool { return bytes.HasPrefix(link, []byte(nameStart)) }

// Path returns the path of the virtual file if a file is a snapshot of the set,
// or "". link is the file's link in /proc, for which Named holds. st is its
// status.
func (s *Set) Path(link []byte, st *unix.Stat_t) string {
	path := strings.TrimSuffix(strings.TrimPrefix(string(link), nameStart), nameEnd)
	if s.code(st, path) != st.Mtim {
		return ""
	}
	return path
}
