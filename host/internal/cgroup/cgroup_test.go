package cgroup

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestDirs checks where limits are looked for, in both versions.
func TestDirs(t *testing.T) {
	for _, tc := range []struct {
		text string
		want []string
	}{
		{"0::/a/b\n", []string{
			"/sys/fs/cgroup/a/b", "/sys/fs/cgroup/a", "/sys/fs/cgroup",
			"/sys/fs/cgroup/unified/a/b", "/sys/fs/cgroup/unified/a", "/sys/fs/cgroup/unified",
		}},
		{"8:pids:/a\n4:memory:/b\n1:name=systemd:/\n", []string{
			"/sys/fs/cgroup/pids/a", "/sys/fs/cgroup/pids", "/sys/fs/cgroup/pids/a", "/sys/fs/cgroup/pids",
		}},
		{"0::/../..\n", []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}},
		{"nonsense\n", nil},
	} {
		if got := Processes.dirsIn(tc.text); !slices.Equal(got, tc.want) {
			t.Errorf("%q: %q, want %q", tc.text, got, tc.want)
		}
	}
}

// TestLimits checks the files of a group, real ones apart from their place.
func TestLimits(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"pids.max": "max\n", "memory.limit_in_bytes": "4096\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := Processes.maxOf(dir); got != math.MaxInt {
		t.Errorf("pids.max of max is %d", got)
	}
	if got := Memory.maxOf(dir); got != 4096 {
		t.Errorf("memory.limit_in_bytes of 4096 is %d", got)
	}
	if got := Processes.Left(); got < 0 {
		t.Errorf("%d processes are left", got)
	}
	if got := Memory.Max(); got <= 0 {
		t.Errorf("%d bytes of memory", got)
	}
}
