package host_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/host"
	"github.com/udrm/udrm/machine/fusefs"
)

// TestNewDirectory checks that a program sees what is in a directory that comes
// where virtual files are mounted, after the program has started.
func TestNewDirectory(t *testing.T) {
	if err := host.CheckMounts(); err != nil {
		if os.Getenv("UDRM_FILES") == "mounts" {
			t.Fatal(err)
		}
		return // TestResolve checks what a host says then
	}
	dir := t.TempDir()
	h := newHost(t, drm.NewClass(drm.ClassOptions{}), host.Options{
		FileServer: fusefs.Serve,
		Files:      map[string]func() string{dir + "/virtual": func() string { return "virtual\n" }},
	})
	cmd := exec.Command("sh", "-c", `echo ready; read go; cd "$0"; ls; ls new; cat new/sub/file virtual; readlink new/link; ls closed`, dir)
	stdin, err1 := cmd.StdinPipe()
	stdout, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	p, err := h.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	ready := make([]byte, len("ready\n"))
	_, err1 = stdout.Read(ready)
	if err := errors.Join(err1,
		os.MkdirAll(filepath.Join(dir, "new/sub"), 0o755),
		os.WriteFile(filepath.Join(dir, "new/sub/file"), []byte("real\n"), 0o644),
		os.Symlink("sub/file", filepath.Join(dir, "new/link")),
		os.MkdirAll(filepath.Join(dir, "closed"), 0o700),
		os.WriteFile(filepath.Join(dir, "closed/secret"), nil, 0o644),
		stdin.Close()); err != nil {
		t.Error(err)
	}
	var out strings.Builder
	for buf := make([]byte, 512); err == nil; {
		var n int
		n, err = stdout.Read(buf)
		out.Write(buf[:n])
	}
	const want = "closed\nnew\nvirtual\nlink\nsub\nreal\nvirtual\nsub/file\n"
	if out.String() != want {
		t.Errorf("the program said %q, want %q", out.String(), want)
	}
	_, _ = p.Wait()
	<-p.Done()
}
