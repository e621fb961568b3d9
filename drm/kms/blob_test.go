package kms_test

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/internal/kmsclient"
)

// TestBlobQuota checks that the blobs of all files of a client count, until they
// are gone.
func TestBlobQuota(t *testing.T) {
	f := newFixture(t)
	process := drmtest.Self()
	process.Account = drm.NewQuota(map[drm.Resource]int64{drm.HeldBytes: 6000}).NewAccount() // 4000 for one
	var files []*drmtest.Client
	for i := range 4 {
		c, err := drmtest.OpenAs(f.File.Minor(), process)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, c)
		_, err = kmsclient.New(c.Process()).CreateBlob(make([]byte, 1000))
		if i < 3 && err != nil || i == 3 && !errors.Is(err, unix.ENOMEM) {
			t.Errorf("blob %d: %v", i, err)
		}
	}
	for _, c := range files {
		c.File.Close()
	}
	if process.Account.InUse() {
		t.Error("after the files were closed, the account is charged")
	}
}
