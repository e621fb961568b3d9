// Package swsync lets programs make fences and signal them by hand: it is the
// sw_sync file that kernels have in debugfs, for tests of what waits for
// fences. A file that is open is a timeline with a counter; a fence on it has
// a number, and is signalled when the counter reaches that.
//
// Lock order: Timeline.mu is a leaf. Fences are signalled without it.
package swsync

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/fence"
)

// The requests, of drivers/dma-buf/sw_sync.c.
const (
	Magic          = 'W'
	IocCreateFence = 0xc0285700 // argument [CreateFence]
	IocInc         = 0x40045701 // argument: by how much, 32 bits
)

// CreateFence is struct sw_sync_create_fence_data.
type CreateFence struct {
	Value uint32
	Name  [32]byte // not used
	Fence int32    // descriptor of the sync file
}

// A Timeline is an open sw_sync file: it is a [drm.ClientFile].
type Timeline struct {
	context *fence.Context

	mu      sync.Mutex
	value   uint32
	pending []point // in the order in which they will be signalled
	closed  bool
}

type point struct {
	value uint32
	fence *fence.Fence
}

// Open opens the file. Nothing is delivered to the sink.
func Open(drm.EventSink) (io.Closer, error) {
	return &Timeline{context: fence.NewContext("sw_sync", "sw_sync")}, nil
}

// reached reports whether a counter has come as far as value; it may wrap.
func reached(counter, value uint32) bool { return int32(value-counter) <= 0 }

// Ioctl implements [drm.ClientFile].
func (t *Timeline) Ioctl(_ context.Context, caller drm.Caller, cmd uint32, arg uint64) error {
	switch cmd {
	case IocCreateFence:
		var data CreateFence
		buf := make([]byte, binary.Size(&data))
		if err := caller.CopyFromUser(buf, arg); err != nil {
			return err
		}
		if _, err := binary.Decode(buf, binary.NativeEndian, &data); err != nil {
			panic(err) // of fixed size
		}
		fd, err := fence.Install(caller, t.at(data.Value))
		if err != nil {
			return err
		}
		const fenceOffset = 36
		return caller.CopyToUser(arg+fenceOffset, binary.NativeEndian.AppendUint32(nil, uint32(fd)))
	case IocInc:
		var buf [4]byte
		if err := caller.CopyFromUser(buf[:], arg); err != nil {
			return err
		}
		by := binary.NativeEndian.Uint32(buf[:])
		for ; by > math.MaxInt32; by -= math.MaxInt32 {
			t.advance(math.MaxInt32)
		}
		t.advance(by)
		return nil
	}
	return fmt.Errorf("swsync: ioctl %#x is not one of a sw_sync file: %w", cmd, unix.ENOTTY)
}

// at returns the fence of a value.
func (t *Timeline) at(value uint32) *fence.Fence {
	t.mu.Lock()
	defer t.mu.Unlock()
	i, found := slices.BinarySearchFunc(t.pending, value, func(p point, value uint32) int {
		return cmp.Compare(int32(p.value-t.value), int32(value-t.value))
	})
	switch {
	case found:
		return t.pending[i].fence
	case reached(t.value, value) || t.closed:
		f := t.context.At(uint64(value))
		f.Signal(nil)
		return f
	}
	f := t.context.At(uint64(value))
	t.pending = slices.Insert(t.pending, i, point{value, f})
	return f
}

func (t *Timeline) advance(by uint32) {
	t.mu.Lock()
	t.value += by
	n := 0
	for n < len(t.pending) && reached(t.value, t.pending[n].value) {
		n++
	}
	signaled := t.pending[:n:n]
	t.pending = t.pending[n:]
	t.mu.Unlock()
	for _, p := range signaled {
		p.fence.Signal(nil)
	}
}

// Close implements [drm.ClientFile]: what is pending will never be reached,
// and fails with ENOENT.
func (t *Timeline) Close() error {
	t.mu.Lock()
	pending := t.pending
	t.pending, t.closed = nil, true
	t.mu.Unlock()
	for _, p := range pending {
		p.fence.Signal(fmt.Errorf("swsync: the timeline was closed: %w", unix.ENOENT))
	}
	return nil
}
