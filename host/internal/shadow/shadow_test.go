package shadow

import (
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/vfs"
)

// The directory of a killed owner is removed. That of a living
// owner, and files that are not directories, stay.
func TestStaleShadows(t *testing.T) {
	dir := t.TempDir()
	living, err := newIn(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer living.Close()
	killed, err := newIn(dir)
	if err != nil {
		t.Fatal(err)
	}
	if fd, err := killed.Open("/dev/dri", []vfs.Entry{{Name: "card0", Kind: vfs.Char}}); err != nil {
		t.Fatal(err)
	} else if err := unix.Close(fd); err != nil {
		t.Fatal(err)
	}
	if err := killed.lock.Close(); err != nil { // as the end of a process does
		t.Fatal(err)
	}
	fifo, link := filepath.Join(dir, prefix+"fifo"), filepath.Join(dir, prefix+"link")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(t.TempDir(), link); err != nil {
		t.Fatal(err)
	}

	next, err := newIn(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	for path, want := range map[string]bool{living.root: true, killed.root: false, fifo: true, link: true} {
		if _, err := os.Lstat(path); (err == nil) != want {
			t.Errorf("%s: %v, want it to be there: %v", path, err, want)
		}
	}
}

// With a relative TMPDIR the root is the path that /proc shows.
func TestShadowInRelativeDirectory(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("sub", 0o700); err != nil {
		t.Fatal(err)
	}
	s, err := newIn("sub")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	fd, err := s.Open("/dev/dri", nil)
	if err != nil {
		t.Fatal(err)
	}
	link, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Close(fd); err != nil {
		t.Fatal(err)
	}
	if want := s.Root() + "/dev/dri"; link != want {
		t.Errorf("/proc shows %s, want %s", link, want)
	}
}

// Hosts that start at the same time never remove each other's directories.
func TestStartTogether(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				s, err := newIn(dir)
				if err != nil {
					t.Error(err)
					return
				}
				if fd, err := s.Open("/dev/dri", nil); err != nil {
					t.Error(err)
				} else {
					_ = unix.Close(fd)
				}
				if !isAt(s.lock, s.root) {
					t.Errorf("%s was removed while its owner lived", s.root)
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
