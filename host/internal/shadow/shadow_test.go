package shadow

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/vfs"
)

// The directory of a killed owner is removed after a while. That of a living
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
	old := time.Now().Add(-time.Hour)
	for _, s := range []*Dirs{living, killed} {
		if err := os.Chtimes(s.root, old, old); err != nil {
			t.Fatal(err)
		}
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
