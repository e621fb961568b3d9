package control_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// hungDir returns a directory whose file system answers no request for a file. opening
// waits until a file in it is looked for. Root may mount it.
func hungDir(t *testing.T) (dir string, opening func()) {
	t.Helper()
	dir = t.TempDir()
	fuse, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("hung", dir, "fuse", 0, fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", fuse)); err != nil {
		t.Fatal(errors.Join(fmt.Errorf("mount, which wants root: %w", err), unix.Close(fuse)))
	}
	t.Cleanup(func() {
		unix.Close(fuse) // ends the requests
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	request := make([]byte, 1<<17)
	next := func() (opcode uint32, unique uint64) {
		if _, err := unix.Read(fuse, request); err != nil {
			t.Fatal(err)
		}
		return binary.NativeEndian.Uint32(request[4:]), binary.NativeEndian.Uint64(request[8:])
	}
	const opLookup, opInit = 1, 26
	opcode, unique := next()
	if opcode != opInit {
		t.Fatalf("the first request is %d", opcode)
	}
	answer := make([]byte, 16+64) // struct fuse_out_header, struct fuse_init_out
	binary.NativeEndian.PutUint32(answer[0:], uint32(len(answer)))
	binary.NativeEndian.PutUint64(answer[8:], unique)
	binary.NativeEndian.PutUint32(answer[16:], 7) // the version
	binary.NativeEndian.PutUint32(answer[20:], 31)
	if _, err := unix.Write(fuse, answer); err != nil {
		t.Fatal(err)
	}
	return dir, func() {
		for opcode, _ = next(); opcode != opLookup; opcode, _ = next() {
		}
	}
}

// TestTraceInHungFile starts a trace in a file that cannot be opened, as its file
// system hangs. Other requests are answered.
func TestTraceInHungFile(t *testing.T) {
	_, c := serve(t)
	dir, opening := hungDir(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		_, err := c.StartTrace(ctx, filepath.Join(dir, "trace"))
		ended <- err
	}()
	opening()
	if _, err := c.Machine(t.Context()); err != nil {
		t.Error(err)
	}
	file := filepath.Join(t.TempDir(), "trace")
	if _, err := c.StartTrace(t.Context(), file); err != nil {
		t.Error(err)
	}
	if trace, err := c.StopTrace(t.Context(), ""); err != nil || trace.File != file {
		t.Errorf("%+v, %v", trace, err)
	}
	cancel()
	if err := <-ended; err == nil {
		t.Error("the trace has begun")
	}
}
