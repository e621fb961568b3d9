package files

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
)

// A caller is a process that makes a call.
type caller struct{ pid int }

func (c caller) Within(pid int) bool                            { return pid == c.pid }
func (c caller) PID() int                                       { return c.pid }
func (c caller) Account() *drm.Account                          { return nil }
func (c caller) Wait(done <-chan struct{}, limit time.Duration) { Wait(done, limit, nil) }

// A client is the client's side of an open file.
type client struct{ closed chan struct{} }

func (c client) Ioctl(context.Context, drm.Caller, uint32, uint64) error { return unix.ENOTTY }

func (c client) Close() error {
	close(c.closed)
	return nil
}

// TestHangUpDuringOpen unplugs a device while a file of it is opened. Other
// processes call meanwhile. The file is released when it is closed.
func TestHangUpDuringOpen(t *testing.T) {
	table, err := NewTable(slog.New(slog.NewTextHandler(io.Discard, nil)), true)
	if err != nil {
		t.Fatal(err)
	}
	defer table.Close()
	closed := make(chan struct{})
	account := drm.NewQuota(map[drm.Resource]int64{drm.Descriptors: 100}).NewAccount()
	opener := &Opener{Client: drm.Client{PID: 1, Account: account}}
	readEnd, err := table.Open(opener, unix.O_RDWR, func(sink drm.EventSink) (drm.ClientFile, error) {
		sink.HangUp()
		table.Drain(caller{2})
		return client{closed}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-closed:
		t.Error("an open file is released")
	default:
	}
	if err := unix.Close(readEnd); err != nil {
		t.Fatal(err)
	}
	table.Drain(caller{1})
	<-closed
	if account.InUse() {
		t.Error("something is charged for a file that is closed")
	}
}

// TestWatchesCharged opens files until the inotify watches run short. Another client
// still gets some.
func TestWatchesCharged(t *testing.T) {
	table, err := NewTable(slog.New(slog.NewTextHandler(io.Discard, nil)), false)
	if err != nil {
		t.Fatal(err)
	}
	defer table.Close()
	quota := drm.NewQuota(map[drm.Resource]int64{drm.Watches: 192})
	open := func(account *drm.Account) error {
		opener := &Opener{Client: drm.Client{PID: 1, Account: account}}
		fd, err := table.Open(opener, unix.O_RDWR, func(drm.EventSink) (drm.ClientFile, error) {
			return client{make(chan struct{})}, nil
		})
		if err == nil {
			t.Cleanup(func() { unix.Close(fd) })
		}
		return err
	}
	greedy := quota.NewAccount()
	for n := range 128 { // two thirds
		if err := open(greedy); err != nil {
			t.Fatalf("file %d: %v", n, err)
		}
	}
	if err := open(greedy); !errors.Is(err, unix.EMFILE) {
		t.Errorf("one more: %v, want EMFILE", err)
	}
	if err := open(quota.NewAccount()); err != nil {
		t.Error(err)
	}
}
