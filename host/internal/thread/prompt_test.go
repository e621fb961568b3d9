package thread

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestPrompt looks at the files of a mount that only one thread sees: of a kind
// that answers promptly, and of one that may not.
func TestPrompt(t *testing.T) {
	dir := t.TempDir()
	tid, stop := make(chan ID), make(chan struct{})
	ended := make(chan struct{})
	defer func() { close(stop); <-ended }()
	Go(func() {
		defer close(ended)
		err := errors.Join(
			unix.Unshare(unix.CLONE_NEWNS),
			unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
			unix.Mount("test", dir, "tmpfs", 0, ""),
			os.Symlink("target", filepath.Join(dir, "link")),
			os.Mkdir(filepath.Join(dir, "sub"), 0o755),
		)
		if err != nil {
			t.Error(err)
		}
		tid <- ID(unix.Gettid())
		<-stop
	})
	look := <-tid
	kinds := promptKinds
	defer func() { promptKinds = kinds }()
	for _, c := range []struct {
		kinds                     []string
		link, missing, below, dir error
	}{
		{kinds, nil, unix.ENOENT, unix.ENOENT, nil},
		{nil, unix.EAGAIN, unix.EAGAIN, unix.EAGAIN, unix.EAGAIN},
	} {
		promptKinds = c.kinds
		check := func(what string, got, want error) {
			t.Helper()
			if got != want {
				t.Errorf("%s with %d kinds: %v, want %v", what, len(c.kinds), got, want)
			}
		}
		target, err := look.Readlink(filepath.Join(dir, "link"))
		check("a link", err, c.link)
		if err == nil && target != "target" {
			t.Errorf("the link says %q", target)
		}
		_, err = look.LinkHint(filepath.Join(dir, "sub/missing"))
		check("a missing file", err, c.missing)
		_, err = look.Readlink(filepath.Join(dir, "missing/below"))
		check("a file in a missing directory", err, c.below)
		_, err = look.Entries(dir)
		check("a directory", err, c.dir)
		var st unix.Stat_t
		check("the mount", look.Identify(dir, &st), nil)
		_, err = look.Readlink("/sys/kernel/missing")
		check("a missing file of sysfs", err, unix.ENOENT)
		_, err = look.Readlink("/proc/self")
		check("a link of /proc", err, nil)
	}
}
