package snapshot_test

import (
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/snapshot"
)

const (
	path    = "/sys/class/drm/card0/dev"
	content = "226:0\n"
)

func open(t *testing.T, s *snapshot.Set) (fd int) {
	t.Helper()
	fd, err := s.Open(path, content, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	return fd
}

// pathOf returns what a set makes of an open file.
func pathOf(t *testing.T, s *snapshot.Set, fd int) string {
	t.Helper()
	link, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
	if err != nil {
		t.Fatal(err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		t.Fatal(err)
	}
	if !snapshot.Named([]byte(link)) {
		return ""
	}
	return s.Path([]byte(link), &st)
}

func TestPath(t *testing.T) {
	s := snapshot.New()
	ours := open(t, s)
	if got := pathOf(t, s, ours); got != path {
		t.Errorf("the path of a snapshot: got %q, want %q", got, path)
	}
	if got := pathOf(t, snapshot.New(), ours); got != "" {
		t.Errorf("another set takes it for its own: %q", got)
	}
	var st unix.Stat_t
	if err := unix.Fstat(ours, &st); err != nil {
		t.Fatal(err)
	}
	forged, err := unix.MemfdCreate("udrm:"+path, unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(forged)
	times := []unix.Timespec{st.Atim, st.Mtim}
	if err := unix.UtimesNanoAt(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", forged), times, 0); err != nil {
		t.Fatal(err)
	}
	if got := pathOf(t, s, forged); got != "" {
		t.Errorf("a memfd with the name and the times of a snapshot counts as one: %q", got)
	}
}

// TestSealed checks that a holder cannot change a snapshot.
func TestSealed(t *testing.T) {
	fd := open(t, snapshot.New())
	again, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", fd), unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err) // as root; others get EACCES
	}
	defer unix.Close(again)
	if _, err := unix.Pwrite(again, []byte("9"), 0); err != unix.EPERM {
		t.Errorf("write: %v, want EPERM", err)
	}
	if err := unix.Ftruncate(again, 0); err != unix.EPERM {
		t.Errorf("ftruncate: %v, want EPERM", err)
	}
	got := make([]byte, 64)
	n, err := unix.Pread(fd, got, 0)
	if err != nil || string(got[:n]) != content {
		t.Errorf("content: %q, %v", got[:n], err)
	}
}
