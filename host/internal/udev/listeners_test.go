package udev

import (
	"net"
	"os"
	"path/filepath"
	"testing"
)

func TestListeners(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control")
	if got, err := Listeners(path); err != nil || len(got) != 0 {
		t.Errorf("%v, %v, want none", got, err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	got, err := Listeners(path)
	if err != nil || len(got) != 1 || got[0].Inode == 0 || got[0].UID != uint32(os.Geteuid()) {
		t.Errorf("%v, %v, want one of user %d", got, err, os.Geteuid())
	}
}
