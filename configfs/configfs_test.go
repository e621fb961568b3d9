package configfs_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/configfs"
)

// shelf returns a file system in which programs make boxes. A box has a file
// label and a directory with links to other boxes.
func shelf(log *[]string) *configfs.FS {
	note := func(words ...string) { *log = append(*log, strings.Join(words, " ")) }
	return configfs.New(configfs.NewItem("shelf", configfs.Type{Make: func(name string) (*configfs.Item, error) {
		if name == "no" {
			return nil, fmt.Errorf("no: %w", unix.EBUSY)
		}
		return configfs.NewItem(name, configfs.Type{
			Attributes: []configfs.Attribute{{Name: "label", Show: func() string { return name }}},
			Release:    func() { note("release", name) },
		}, configfs.NewItem("holds", configfs.Type{
			AllowLink: func(target *configfs.Item) error {
				if target.Name() == name {
					return fmt.Errorf("itself: %w", unix.EINVAL)
				}
				note(name, "holds", target.Name())
				return nil
			},
			DropLink: func(target *configfs.Item) { note(name, "drops", target.Name()) },
			Release:  func() { note("release holds of", name) },
		})), nil
	}}))
}

func list(f *configfs.FS) (entries []string) {
	f.Walk(configfs.Visitor{
		Dir:  func(path string) { entries = append(entries, path+"/") },
		File: func(path string, _ configfs.Attribute) { entries = append(entries, path) },
		Link: func(path, target string) { entries = append(entries, path+" -> "+target) },
	})
	return entries
}

func TestRules(t *testing.T) {
	var log []string
	f := shelf(&log)
	for _, step := range []struct {
		what string
		err  error
		want unix.Errno
	}{
		{"make a", f.Mkdir("shelf", "a"), 0},
		{"make b", f.Mkdir("shelf", "b"), 0},
		{"make a again", f.Mkdir("shelf", "a"), unix.EEXIST},
		{"make what the driver refuses", f.Mkdir("shelf", "no"), unix.EBUSY},
		{"make a subsystem", f.Mkdir("", "other"), unix.EPERM},
		{"make something in a box", f.Mkdir("shelf/a", "c"), unix.EPERM},
		{"make something nowhere", f.Mkdir("shelf/x", "c"), unix.ENOENT},
		{"link", f.Symlink("shelf/b", "shelf/a/holds", "b"), 0},
		{"link under another name", f.Symlink("shelf/b", "shelf/a/holds", "other"), 0},
		{"link with a name that is taken", f.Symlink("shelf/b", "shelf/a/holds", "b"), unix.EEXIST},
		{"link that the driver refuses", f.Symlink("shelf/a", "shelf/a/holds", "a"), unix.EINVAL},
		{"link to nothing", f.Symlink("shelf/x", "shelf/a/holds", "x"), unix.ENOENT},
		{"link where there are none", f.Symlink("shelf/b", "shelf/a", "x"), unix.EPERM},
		{"remove a box with links", f.Rmdir("shelf/a"), unix.ENOTEMPTY},
		{"remove a box that is linked to", f.Rmdir("shelf/b"), unix.EBUSY},
		{"remove a part of a box", f.Rmdir("shelf/a/holds"), unix.EPERM},
		{"remove the subsystem", f.Rmdir("shelf"), unix.EPERM},
		{"remove the top", f.Rmdir(""), unix.EPERM},
		{"remove nothing", f.Rmdir("shelf/x"), unix.ENOENT},
		{"unlink a file", f.Unlink("shelf/a", "label"), unix.EPERM},
		{"unlink a directory", f.Unlink("shelf/a", "holds"), unix.EPERM},
		{"unlink nothing", f.Unlink("shelf/a", "x"), unix.ENOENT},
		{"unlink in nothing", f.Unlink("shelf/x", "x"), unix.ENOENT},
		{"unlink", f.Unlink("shelf/a/holds", "b"), 0},
	} {
		if step.want == 0 && step.err != nil || step.want != 0 && !errors.Is(step.err, step.want) {
			t.Errorf("%s: %v, want %v", step.what, step.err, step.want)
		}
	}
	want := []string{"shelf/", "shelf/a/", "shelf/a/label", "shelf/a/holds/", "shelf/a/holds/other -> shelf/b",
		"shelf/b/", "shelf/b/label", "shelf/b/holds/"}
	if got := list(f); !slices.Equal(got, want) {
		t.Errorf("there is %q, want %q", got, want)
	}
	for _, err := range []error{f.Unlink("shelf/a/holds", "other"), f.Rmdir("shelf/b"), f.Rmdir("shelf/a")} {
		if err != nil {
			t.Error(err)
		}
	}
	wantLog := []string{"a holds b", "a holds b", "a drops b", "a drops b", "release holds of b", "release b", "release holds of a", "release a"}
	if !slices.Equal(log, wantLog) {
		t.Errorf("the driver was told %q, want %q", log, wantLog)
	}
}

// TestStorm lets programs make, link and remove at once. In the end all of it can
// be removed.
func TestStorm(t *testing.T) {
	var log []string
	f := shelf(&log)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			mine, other := fmt.Sprint(i%4), fmt.Sprint((i+1)%4)
			for range 300 {
				_ = f.Mkdir("shelf", mine)
				_ = f.Symlink("shelf/"+other, "shelf/"+mine+"/holds", other)
				list(f)
				_ = f.Unlink("shelf/"+mine+"/holds", other)
				_ = f.Rmdir("shelf/" + mine)
			}
		})
	}
	wg.Wait()
	for i := range 4 {
		mine, other := fmt.Sprint(i), fmt.Sprint((i+1)%4)
		_ = f.Unlink("shelf/"+mine+"/holds", other)
	}
	for i := range 4 {
		_ = f.Rmdir("shelf/" + fmt.Sprint(i))
	}
	if got := list(f); !slices.Equal(got, []string{"shelf/"}) {
		t.Errorf("left: %q", got)
	}
}
