package shadow

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/vfs"
	"github.com/udrm/udrm/internal/pollfd"
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
	if err := killed.dir.Close(); err != nil { // as the end of a process does
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

// TestReplaced replaces copies by links to a directory of others, as a program of
// the same user can. Nothing happens to that.
func TestReplaced(t *testing.T) {
	for name, open := range map[string]func() (*Dirs, error){
		"detached": newDetached,
		"path":     func() (*Dirs, error) { return newIn(t.TempDir()) },
	} {
		t.Run(name, func(t *testing.T) {
			s, err := open()
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			others := t.TempDir()
			if err := os.WriteFile(filepath.Join(others, "precious"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			entries := []vfs.Entry{{Name: "card0", Kind: vfs.Char}, {Name: "by-path", Kind: vfs.Dir}}
			tree := vfs.New()
			tree.AddDir("/dev/dri/by-path")
			for _, name := range []string{"dev/dri/by-path", "dev/dri", "dev"} {
				for _, path := range []string{"/dev/dri/by-path", "/dev/dri"} {
					fd, err := s.Open(path, entries)
					if err != nil {
						t.Fatal(err)
					}
					_ = unix.Close(fd)
				}
				if err := removeAll(int(s.dir.Fd()), name); err != nil {
					t.Fatal(err)
				}
				if err := unix.Symlinkat(others, int(s.dir.Fd()), name); err != nil {
					t.Fatal(err)
				}
				s.Prune(tree)
				fd, err := s.Open("/dev/dri/by-path", entries)
				if err != nil {
					t.Fatal(err)
				}
				if names, err := os.ReadDir("/proc/self/fd/" + strconv.Itoa(fd)); err != nil || len(names) != len(entries) {
					t.Errorf("the copy lists %v, %v", names, err)
				}
				_ = unix.Close(fd)
				s.Prune(vfs.New())
				if names, err := os.ReadDir(others); err != nil || len(names) != 1 || names[0].Name() != "precious" {
					t.Fatalf("the directory of others has %v, %v", names, err)
				}
			}
		})
	}
}

// TestDetached checks that no path leads out of a detached directory.
func TestDetached(t *testing.T) {
	s, err := newDetached()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	fd, err := s.Open("/dev/dri", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	var root, up unix.Stat_t
	if err := errors.Join(unix.Fstat(int(s.dir.Fd()), &root), unix.Fstatat(fd, "../../../../..", &up, 0)); err != nil {
		t.Fatal(err)
	}
	if root != up {
		t.Errorf("up from the copy is %+v, want the root, %+v", up, root)
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
				if !isAt(s.dir, s.root) {
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

// Names of copies are looked up while another copy is made that takes long, and
// while those of a tree are compared: each call on a directory looks one up.
func TestNamesAreFree(t *testing.T) {
	s, err := newDetached()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	fd, err := s.Open("/dev/dri", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	s.mu.Lock() // as Open and Prune do meanwhile
	defer s.mu.Unlock()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		t.Fatal(err)
	}
	if path := s.Path(pollfd.IDOf(&st)); path != "/dev/dri" || !s.MayHave([]byte("/dev/dri")) || s.MayHave([]byte("/dev")) {
		t.Errorf("the copy is taken for %q", path)
	}
}

// Prune touches the copies of changed directories only: programs can have
// thousands.
func TestPruneChangedOnly(t *testing.T) {
	s, err := newDetached()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	tree := vfs.New()
	tree.AddDir("/sys")
	tree.AddDir("/sys/one/sub")
	tree.AddDir("/sys/two")
	watch, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(watch)
	for _, path := range []string{"/sys/one", "/sys/two"} {
		n, _ := tree.Lookup(path)
		if _, err := s.Watch(watch, path, n.Entries(), "", unix.IN_OPEN|unix.IN_CREATE); err != nil {
			t.Fatal(err)
		}
	}
	next := vfs.New()
	next.AddDir("/sys")
	next.AddDir("/sys/one/sub")
	next.AddDir("/sys/two/more")
	s.Prune(next)
	var buf [4096]byte
	n, err := unix.Read(watch, buf[:])
	if err != nil {
		t.Fatal(err)
	}
	created := false
	for at := 0; at < n; {
		wd, mask := buf[at], binary.NativeEndian.Uint32(buf[at+4:])
		if wd != 2 {
			t.Errorf("the directory that has not changed was touched: event %#x", mask)
		}
		created = created || mask&unix.IN_CREATE != 0
		at += unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(buf[at+12:]))
	}
	if !created {
		t.Error("the copy of the changed directory has not changed")
	}
}

// Nothing is left of a directory that is gone, also if only one in it was copied.
func TestPruneWay(t *testing.T) {
	s, err := newDetached()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	tree := vfs.New()
	tree.AddDir("/sys/kernel")
	for _, path := range []string{"/sys/kernel/a/b/c", "/sys/kernel/a", "/sys/kernel/a-b/c", "/sys/kernel/d/e"} {
		fd, err := s.Open(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = unix.Close(fd)
	}
	s.Prune(tree)
	left, err := os.ReadDir("/proc/self/fd/" + strconv.Itoa(int(s.dir.Fd())) + "/sys/kernel")
	if err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// What a program changes in a copy is undone at the next open of the directory,
// also when it lists the same as before.
func TestCopyChangedByProgram(t *testing.T) {
	s, err := newDetached()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	entries := []vfs.Entry{{Name: "card0", Kind: vfs.Char}}
	for range 3 { // the time of change is trusted some time after it only
		for range 2 {
			fd, err := s.Open("/dev/dri", entries)
			if err != nil {
				t.Fatal(err)
			}
			names, err := os.ReadDir("/proc/self/fd/" + strconv.Itoa(fd))
			if err != nil || len(names) != 1 || names[0].Name() != "card0" {
				t.Errorf("the copy lists %v, %v", names, err)
			}
			if err := errors.Join(unix.Mkdirat(fd, "forged", 0o700), unix.Unlinkat(fd, "card0", 0), unix.Close(fd)); err != nil {
				t.Fatal(err)
			}
		}
		fd, err := s.Open("/dev/dri", entries)
		if err != nil {
			t.Fatal(err)
		}
		_ = unix.Close(fd)
		time.Sleep(30 * time.Millisecond) // so that it is trusted the next time
	}
}
