package host_test

import (
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/host"
	"github.com/udrm/udrm/trace"
)

// BenchmarkRequest measures in the client how long it waits: for an ioctl with
// and without an argument, also while a trace is recorded (the goal is at most
// 1.5 times as long), an mmap with its munmap, an open with its close, and four
// calls on other files. "socket" and "net" are the references: 64 bytes to
// another process over a Unix socket and 64 bytes back. A design with a library
// in the client costs at least that, with a server that blocks in a thread for
// each client, or one that uses package net.
//
//	go test -run - -bench Request ./host
func BenchmarkRequest(b *testing.B) {
	for _, what := range []string{"socket", "net", "nothing", "nothing-traced", "sum", "sum-traced", "map", "open", "stat", "fstat", "filemap", "seek"} {
		b.Run(what, func(b *testing.B) {
			switch what {
			case "socket":
				benchSocket(b, blockingServer)
				return
			case "net":
				benchSocket(b, netServer)
				return
			}
			class := drm.NewClass(drm.ClassOptions{})
			request, traced := strings.CutSuffix(what, "-traced")
			if traced {
				recorder := trace.NewRecorder(io.Discard)
				defer recorder.Close()
				defer class.Trace(recorder)()
			}
			newDevice(b, class, "vkms")
			h := newHost(b, class, host.Options{})
			report(b, run(b, h, exec.Command(client, "bench", request, strconv.Itoa(b.N))))
		})
	}
}

// BenchmarkCall measures calls that have nothing to do with cards, beside the same
// calls of a program that runs without a host: the medians of all rounds.
//
//	go test -run - -bench Call -benchtime 1x ./host
func BenchmarkCall(b *testing.B) {
	const rounds, calls = 5, "2000"
	for _, what := range []string{"stat", "openfile", "xattr", "fstat", "poll", "getfl", "read", "seek", "filemap"} {
		b.Run(what, func(b *testing.B) {
			h := newHost(b, drm.NewClass(drm.ClassOptions{}), host.Options{RaiseGOMAXPROCS: true})
			var native, hosted, ratios []float64
			for range b.N * rounds {
				out, err := exec.Command(client, "bench", what, calls).Output()
				if err != nil {
					b.Fatal(err)
				}
				n, u := nanoseconds(b, string(out)), nanoseconds(b, run(b, h, exec.Command(client, "bench", what, calls)))
				native, hosted, ratios = append(native, n/1000), append(hosted, u/1000), append(ratios, u/n)
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(median(native), "native-µs")
			b.ReportMetric(median(hosted), "µs")
			b.ReportMetric(median(ratios), "ratio")
		})
	}
}

// BenchmarkMessage compares requests without an argument, and with 64 bytes in and
// out, with 64 bytes over a Unix socket and back, in turns. The goals on an
// unloaded machine are 1.0 and 1.1 times as long. A mapping has 65 µs.
//
//	go test -run - -bench Message -benchtime 1x ./host
func BenchmarkMessage(b *testing.B) {
	const rounds, requests = 9, 2000
	for _, what := range []string{"nothing", "sum", "map"} {
		b.Run(what, func(b *testing.B) {
			class := drm.NewClass(drm.ClassOptions{})
			newDevice(b, class, "vkms")
			h := newHost(b, class, host.Options{RaiseGOMAXPROCS: true})
			var took, ratios []float64
			for range b.N * rounds {
				socket := nanoseconds(b, socketClient(b, blockingServer, requests))
				t := nanoseconds(b, run(b, h, exec.Command(client, "bench", what, strconv.Itoa(requests))))
				took, ratios = append(took, t/1000), append(ratios, t/socket)
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(median(took), "µs")
			b.ReportMetric(median(ratios), "×socket")
		})
	}
}

func nanoseconds(b *testing.B, out string) float64 {
	b.Helper()
	ns, err := strconv.Atoi(strings.TrimSpace(out))
	if err != nil {
		b.Fatalf("the client printed %q", out)
	}
	return float64(ns)
}

func median(all []float64) float64 {
	slices.Sort(all)
	return all[len(all)/2]
}

// report replaces the time of the benchmark, which includes the start of the
// client, by the client's own measurement.
func report(b *testing.B, out string) {
	b.Helper()
	b.ReportMetric(nanoseconds(b, out), "ns/op")
}

// blockingServer and netServer answer 64 bytes with 64 bytes until the other
// end is closed. They close fd.
func blockingServer(fd int) error {
	defer unix.Close(fd)
	buf := make([]byte, 64)
	for {
		if n, err := unix.Read(fd, buf); n <= 0 || err != nil {
			return err
		}
		if _, err := unix.Write(fd, buf); err != nil {
			return err
		}
	}
}

func netServer(fd int) error {
	f := os.NewFile(uintptr(fd), "socket")
	conn, err := net.FileConn(f)
	f.Close()
	if err != nil {
		return err
	}
	defer conn.Close()
	buf := make([]byte, 64)
	for {
		if _, err := io.ReadFull(conn, buf); err != nil {
			return nil // the end
		}
		if _, err := conn.Write(buf); err != nil {
			return err
		}
	}
}

func benchSocket(b *testing.B, serve func(fd int) error) { report(b, socketClient(b, serve, b.N)) }

// socketClient runs a client that sends n messages over a socket, and returns its
// output.
func socketClient(b *testing.B, serve func(fd int) error, n int) string {
	b.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		b.Fatal(err)
	}
	theirs := os.NewFile(uintptr(pair[1]), "socket")
	done := make(chan error)
	go func() { done <- serve(pair[0]) }()
	cmd := exec.Command(client, "bench", "socket", strconv.Itoa(n))
	cmd.ExtraFiles = []*os.File{theirs}
	out, err := cmd.Output()
	if err != nil {
		b.Fatal(err, string(out))
	}
	_ = theirs.Close()
	if err := <-done; err != nil {
		b.Error(err)
	}
	return string(out)
}
