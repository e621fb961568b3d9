package host_test

import (
	"fmt"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host"
)

// TestShortage takes all descriptors from the host. Its programs can use the files that
// they have open, and get the kernel's error for others: a file that cannot be looked
// at is not one that does not exist. Afterwards all goes on.
func TestShortage(t *testing.T) {
	a := newArena(t, host.Options{})
	client := a.begin(nobody, "shortage").holding()
	want := func(text string) {
		t.Helper()
		fmt.Fprintln(client.stdin)
		if line := client.line(); line != text {
			t.Errorf("the program says %q, want %q", line, text)
		}
	}
	none := func() (restore func()) {
		t.Helper()
		var limit unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
			t.Fatal(err)
		}
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Max: limit.Max}); err != nil {
			t.Fatal(err)
		}
		return func() {
			if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
				t.Fatal(err)
			}
		}
	}
	const (
		fine   = "request: errno 0, open: <nil>, stat: <nil>"
		scarce = "request: errno 0, open: too many open files, stat: too many open files"
	)
	restore := none() // at first: what the host looks up once, it looks up again
	want(scarce)
	restore()
	want(fine)
	want(fine)
	restore = none()
	want(scarce)
	restore()
	want(fine)
	client.end()
	a.honest()
}
