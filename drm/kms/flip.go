package kms

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/fence"
	"github.com/udrm/udrm/drm/uapi"
)

// A flip is a commit on its way to the screen, for one CRTC.
type flip struct {
	crtc     *CRTC
	done     chan struct{} // closed when it is shown
	nonblock bool
	event    *flipEvent   // nil for none
	fence    *fence.Fence // nil for none
	async    bool         // it does not wait for a vblank
	err      error        // of Driver.Commit, for fence; guarded by ModeConfig.mu
	modeset  bool         // it interrupts the signal
	held     bool         // it waits for fences; guarded by ModeConfig.mu

	state      *State // what it shows
	writebacks []*writeback

	// Guarded by vblank.mu.
	started bool   // it waits for its vblank
	target  uint64 // the vblank that shows it
	cancel  func() // called when it is over; nil for none
}

// complete says that the flip is shown, or, with an error, that it never will
// be, which only its fence tells. It is called once, with vblank.mu held.
func (f *flip) complete(now vblankTime, err error) {
	if f.event != nil {
		f.event.pending.Send(vblankEventBytes(uapi.EventTypeFlipComplete, f.event.userData, f.crtc.id, now))
	}
	if f.fence != nil {
		f.fence.SignalAt(now.at, err)
	}
	if f.cancel != nil {
		f.cancel()
	}
	close(f.done)
}

// settle waits, once the flip is shown, until nobody looks any more at what it
// has replaced, and until what it has to write back is written.
func (f *flip) settle() {
	f.crtc.vblank.composer.settle(f.state)
	for _, w := range f.writebacks {
		<-w.done
	}
}

// onDone has cancel called when the flip is over: at once when it is.
func (f *flip) onDone(cancel func()) {
	v := &f.crtc.vblank
	v.mu.Lock()
	defer v.mu.Unlock()
	select {
	case <-f.done:
		cancel()
	default:
		f.cancel = cancel
	}
}

// wait waits for the flip: EINTR when ctx ends first. A nil ctx never does.
func (f *flip) wait(ctx context.Context) error {
	if ctx == nil {
		<-f.done
		return nil
	}
	select {
	case <-f.done:
		return nil
	case <-ctx.Done():
	}
	if unplugged(ctx) {
		<-f.done // Unplug completes it, at once
		return nil
	}
	return unix.EINTR
}

// unplugged reports whether a request's context ended because the device goes
// away: then nobody is left waiting, whatever for.
func unplugged(ctx context.Context) bool {
	return errors.Is(context.Cause(ctx), drm.ErrUnplugged)
}

// A flipEvent is the event that a client wants when a commit is shown.
type flipEvent struct {
	pending  *drm.PendingEvent
	userData uint64
}

const (
	vblankEventSize   = 32 // struct drm_event_vblank
	sequenceEventSize = 32 // struct drm_event_crtc_sequence
)

// vblankEventBytes is struct drm_event_vblank.
func vblankEventBytes(eventType uint32, userData uint64, crtcID uint32, now vblankTime) []byte {
	b := make([]byte, vblankEventSize)
	order := binary.NativeEndian
	order.PutUint32(b[0:], eventType)
	order.PutUint32(b[4:], vblankEventSize)
	order.PutUint64(b[8:], userData)
	order.PutUint32(b[16:], uint32(now.at/time.Second))
	order.PutUint32(b[20:], uint32(now.at%time.Second/time.Microsecond))
	order.PutUint32(b[24:], uint32(now.count))
	order.PutUint32(b[28:], crtcID)
	return b
}

// sequenceEventBytes is struct drm_event_crtc_sequence.
func sequenceEventBytes(userData uint64, now vblankTime) []byte {
	b := make([]byte, sequenceEventSize)
	order := binary.NativeEndian
	order.PutUint32(b[0:], uapi.EventTypeCRTCSequence)
	order.PutUint32(b[4:], sequenceEventSize)
	order.PutUint64(b[8:], userData)
	order.PutUint64(b[16:], uint64(now.at))
	order.PutUint64(b[24:], now.count)
	return b
}
