// Package swsync implements the sw_sync file of the kernel's debugfs, with
// which test programs create fences and signal them by hand. An open file is a
// timeline with a counter. Each fence on it has a value, and is signalled when
// the counter reaches that value.
//
// Lock order: Timeline.mu is a leaf. Fences are signalled without holding it.
package swsync

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/fence"
)

// Requests of a sw_sync file (drivers/dma-buf/sw_sync.c).
const (
	Magic          = 'W'
	IocCreateFence = 0xc0285700 // SW_SYNC_IOC_CREATE_FENCE, argument: [CreateFence]
	IocInc         = 0x40045701 // SW_SYNC_IOC_INC, argument: uint32, the increment
)

// CreateFence is struct sw_sync_create_fence_data.
type CreateFence struct {
	Value uint32
	Name  [32]byte // ignored
	Fence int32    // returned: descriptor of the sync file
}

// A Timeline is an open sw_sync file. It implements [drm.ClientFile].
type Timeline struct {
	context *fence.Context

	mu      sync.Mutex
	value   uint32
	pending []point // in the order of their signals
	closed  bool
}

type point struct {
	value   uint32
	fence   *fence.Fence
	account *drm.Account // charged for the point while it is pending
}

// signal signals the fence of a point that is no longer pending.
func (p *point) signal(err error) {
	p.fence.Signal(err)
	p.account.Refund(drm.Objects, 1)
}

// Open opens the file. The file never delivers events to the sink.
func Open(drm.EventSink) (io.Closer, error) {
	return &Timeline{context: fence.NewContext("sw_sync", "sw_sync")}, nil
}

// reached reports whether counter, which may wrap, has reached value.
func reached(counter, value uint32) bool { return int32(value-counter) <= 0 }

// Ioctl serves SW_SYNC_IOC_CREATE_FENCE and SW_SYNC_IOC_INC.
func (t *Timeline) Ioctl(_ context.Context, caller drm.Caller, cmd uint32, arg uint64) error {
	switch cmd {
	case IocCreateFence:
		return drm.Exchange(caller, arg, func(data *CreateFence) (err error) {
			f, err := t.at(data.Value, caller.Client().Account)
			if err != nil {
				return err
			}
			data.Fence, err = fence.Install(caller, f)
			return err
		})
	case IocInc:
		increment, err := drm.ReadArray[uint32](caller, arg, 1)
		if err != nil {
			return err
		}
		by := increment[0]
		for ; by > math.MaxInt32; by -= math.MaxInt32 {
			t.advance(math.MaxInt32)
		}
		t.advance(by)
		return nil
	}
	return fmt.Errorf("swsync: a sw_sync file has no ioctl %#x: %w", cmd, unix.ENOTTY)
}

// at returns the fence for value, signalled if the counter has reached it.
// Otherwise the timeline keeps the fence, also when the client has closed it: the
// account is charged for it, and ENOMEM if that has too many objects.
func (t *Timeline) at(value uint32, account *drm.Account) (*fence.Fence, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	i, found := slices.BinarySearchFunc(t.pending, value, func(p point, value uint32) int {
		return cmp.Compare(int32(p.value-t.value), int32(value-t.value))
	})
	switch {
	case found:
		return t.pending[i].fence, nil
	case reached(t.value, value) || t.closed:
		f := t.context.At(uint64(value))
		f.Signal(nil)
		return f, nil
	}
	if err := account.Charge(drm.Objects, 1, unix.ENOMEM); err != nil {
		return nil, err
	}
	f := t.context.At(uint64(value))
	t.pending = slices.Insert(t.pending, i, point{value, f, account})
	return f, nil
}

// advance increments the counter and signals the fences that it reaches.
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
	for i := range signaled {
		signaled[i].signal(nil)
	}
}

// Close signals the pending fences with ENOENT, since the counter will never
// reach them.
func (t *Timeline) Close() error {
	t.mu.Lock()
	pending := t.pending
	t.pending, t.closed = nil, true
	t.mu.Unlock()
	for i := range pending {
		pending[i].signal(fmt.Errorf("swsync: timeline closed before point %d: %w", pending[i].value, unix.ENOENT))
	}
	return nil
}
