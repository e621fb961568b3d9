package host

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/vfs"
)

// What a host that was killed left behind goes, after a while; what a living
// one has, and what others put there, stays and hinders nobody.
func TestStaleShadows(t *testing.T) {
	dir := t.TempDir()
	living, err := newShadowIn(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer living.close()
	killed, err := newShadowIn(dir)
	if err != nil {
		t.Fatal(err)
	}
	if fd, err := killed.open("/dev/dri", []vfs.Entry{{Name: "card0", Kind: vfs.Char}}); err != nil {
		t.Fatal(err)
	} else if err := unix.Close(fd); err != nil {
		t.Fatal(err)
	}
	if err := killed.lock.Close(); err != nil { // as the end of a process does
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour)
	for _, s := range []*shadow{living, killed} {
		if err := os.Chtimes(s.root, old, old); err != nil {
			t.Fatal(err)
		}
	}
	fifo, link := filepath.Join(dir, shadowPrefix+"fifo"), filepath.Join(dir, shadowPrefix+"link")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(t.TempDir(), link); err != nil {
		t.Fatal(err)
	}

	next, err := newShadowIn(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer next.close()
	for path, want := range map[string]bool{living.root: true, killed.root: false, fifo: true, link: true} {
		if _, err := os.Lstat(path); (err == nil) != want {
			t.Errorf("%s: %v, want it to be there: %v", path, err, want)
		}
	}
}

// A relative TMPDIR leads to where /proc says the directory is.
func TestShadowInRelativeDirectory(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("sub", 0o700); err != nil {
		t.Fatal(err)
	}
	s, err := newShadowIn("sub")
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	fd, err := s.open("/dev/dri", nil)
	if err != nil {
		t.Fatal(err)
	}
	link, err := readlink("/proc/self/fd/" + strconv.Itoa(fd))
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Close(fd); err != nil {
		t.Fatal(err)
	}
	if path, deleted, ok := s.virtualPath(link); path != "/dev/dri" || deleted || !ok {
		t.Errorf("%s is taken for %q, %v, %v", link, path, deleted, ok)
	}
}
