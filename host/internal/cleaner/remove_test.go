package cleaner

import (
	"net"
	"os"
	"path/filepath"
	"testing"
)

// TestRemovals removes a socket and a directory, but not the socket that another
// process has made in place of the first.
func TestRemovals(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	listen := func() (end func()) {
		t.Helper()
		l, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		l.(*net.UnixListener).SetUnlinkOnClose(false)
		return func() { l.Close() }
	}
	exists := func() bool {
		_, err := os.Lstat(path)
		return err == nil
	}
	end := listen()
	r := run{remove: []removal{newRemoval(""), newRemoval(path)}}
	end()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	end = listen()
	if err := r.removeAll(); err != nil || !exists() {
		t.Errorf("the socket of another process is removed, %v", err)
	}
	end()
	r = run{remove: []removal{newRemoval(path)}}
	if err := r.removeAll(); err != nil || exists() {
		t.Errorf("the socket is left, %v", err)
	}
	if err := r.removeAll(); err != nil { // it is gone already
		t.Error(err)
	}
	dir := t.TempDir()
	r = run{remove: []removal{newRemoval(dir)}}
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.removeAll(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(dir); err == nil {
		t.Error("the directory is left")
	}
}
