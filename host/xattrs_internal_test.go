package host

import (
	"fmt"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
)

// TestXattrsCharged has one client set attributes until it may set no more. Another one
// can set some, and nothing stays when all are removed.
func TestXattrsCharged(t *testing.T) {
	quota := drm.NewQuota(map[drm.Resource]int64{drm.XattrBytes: maxXattrBytes})
	greedy, other := quota.NewAccount(), quota.NewAccount()
	var x xattrs
	var set []string
	value := string(make([]byte, 1000))
	for n := 0; ; n++ {
		name := fmt.Sprintf("user.%d", n)
		if err := x.set(greedy, "/dev/dri", name, value, 0); err != nil {
			if errnoOf(err) != unix.ENOSPC {
				t.Fatal(err)
			}
			break
		}
		if set = append(set, name); n > maxXattrBytes/1000 {
			t.Fatalf("one client may set %d attributes", n)
		}
	}
	if err := x.set(other, "/dev/dri", "user.other", value, 0); err != nil {
		t.Error(err)
	}
	if err := x.set(other, "/dev/dri", set[0], "", unix.XATTR_REPLACE); err != nil {
		t.Error(err)
	}
	for _, name := range append(set, "user.other") {
		if err := x.remove("/dev/dri", name); err != nil {
			t.Error(err)
		}
	}
	if len(x.byPath) != 0 || greedy.InUse() || other.InUse() {
		t.Errorf("%d files are kept; charged: %v, %v", len(x.byPath), greedy.InUse(), other.InUse())
	}
}
