package host_test

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/host"
)

// BenchmarkRequest measures what a client waits for, in the client: an ioctl
// with and without an argument, an mmap with its munmap, an open with its
// close, and two calls that we have nothing to do with. "socket" is the
// reference: 64 bytes to another process over a Unix socket and 64 bytes
// back, what any design with a library in the client would cost at least.
//
//	go test -run - -bench Request ./host
func BenchmarkRequest(b *testing.B) {
	for _, what := range []string{"socket", "nothing", "sum", "map", "open", "stat", "fstat"} {
		b.Run(what, func(b *testing.B) {
			if what == "socket" {
				benchSocket(b)
				return
			}
			class := drm.NewClass()
			newDevice(b, class, "vkms")
			h := newHost(b, class, host.Options{})
			report(b, run(b, h, exec.Command(client, "bench", what, strconv.Itoa(b.N))))
		})
	}
}

// report replaces the time of the benchmark, which includes the start of the
// client, with what the client has measured.
func report(b *testing.B, out string) {
	b.Helper()
	ns, err := strconv.Atoi(strings.TrimSpace(out))
	if err != nil {
		b.Fatalf("the client printed %q", out)
	}
	b.ReportMetric(float64(ns), "ns/op")
}

func benchSocket(b *testing.B) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		b.Fatal(err)
	}
	theirs := os.NewFile(uintptr(pair[1]), "socket")
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer unix.Close(pair[0])
		buf := make([]byte, 64)
		for {
			n, err := unix.Read(pair[0], buf)
			if n <= 0 || err != nil {
				return
			}
			if _, err := unix.Write(pair[0], buf); err != nil {
				return
			}
		}
	}()
	cmd := exec.Command(client, "bench", "socket", strconv.Itoa(b.N))
	cmd.ExtraFiles = []*os.File{theirs}
	out, err := cmd.Output()
	if err != nil {
		b.Fatal(err, string(out))
	}
	_ = theirs.Close()
	<-done
	report(b, string(out))
}
