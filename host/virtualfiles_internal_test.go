package host

import (
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/configfs"
	"github.com/udrm/udrm/drm"
)

// TestOpenIsCharged opens directories and files until the memory that they take is too
// much.
func TestOpenIsCharged(t *testing.T) {
	var items []*configfs.Item
	for n := range 100 {
		items = append(items, configfs.NewItem(fmt.Sprintf("item%d", n), configfs.Type{}))
	}
	h, err := New(drm.NewClass(drm.ClassOptions{}), Options{
		Configfs: configfs.New(items...), EveryUser: true,
		Files: map[string]func() string{"/sys/class/drm/large": func() string { return string(make([]byte, 4000)) }},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	h.accounts.quota = drm.NewQuota(map[drm.Resource]int64{drm.HeldBytes: 60_000}) // 40,000 for one
	files, tid := &VirtualFiles{host: h}, os.Getpid()
	for _, open := range []struct {
		what string
		one  func() (closed func(), err error)
	}{
		{"directories", func() (func(), error) {
			dir, err := files.OpenDir(tid, configfsRoot)
			if err != nil {
				return nil, err
			}
			entries, err := dir.Entries(false)
			if err == nil && len(entries) != 102 {
				t.Errorf("%d entries, want 102", len(entries))
			}
			_, _ = dir.Entries(true) // the same again
			return dir.Close, err
		}},
		{"files", func() (func(), error) {
			f, err := files.Open(tid, "/sys/class/drm/large", unix.O_RDONLY)
			return f.Close, err
		}},
	} {
		var closed []func()
		var err error
		for err == nil && len(closed) < 20 {
			var one func()
			if one, err = open.one(); one != nil {
				closed = append(closed, one)
			}
		}
		if err != unix.ENOMEM || len(closed) < 5 {
			t.Errorf("%d %s: %v, want ENOMEM", len(closed), open.what, err)
		}
		for _, one := range closed {
			one()
		}
		if h.accounts.of(tid).InUse() {
			t.Errorf("something is charged for %s that are closed", open.what)
		}
	}
}
