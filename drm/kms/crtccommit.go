package kms

import (
	"context"
	"errors"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/fence"
	"github.com/udrm/udrm/drm/uapi"
)

// A crtcCommit is the part of a commit that concerns one CRTC, on its way to
// the screen (struct drm_crtc_commit).
type crtcCommit struct {
	crtc     *CRTC
	done     chan struct{} // closed when the commit is shown
	nonblock bool
	event    *flipEvent   // or nil
	fence    *fence.Fence // or nil
	async    bool         // does not wait for a vblank
	err      error        // of Driver.Commit, for fence; guarded by ModeConfig.mu
	modeset  bool         // interrupts the signal
	off      bool         // ends the signal
	held     bool         // waits for fences; guarded by ModeConfig.mu

	state      *State // to show
	writebacks []*writeback

	// Guarded by vblank.mu.
	started bool        // waits for its vblank
	lost    bool        // no vblank shows it: see vblank.show
	stop    func()      // stops the timer that completes the commit; or nil
	device  *drm.Device // set with started or stop
	target  uint64      // the vblank that shows it
	cancel  func()      // called at completion; nil for none
}

// complete reports that the commit is shown at now. With an error, it never
// will be, which only its fence tells. complete is called once, with vblank.mu
// held.
func (c *crtcCommit) complete(now vblankTime, err error) {
	switch {
	case c.event == nil:
	case c.lost:
		c.event.pending.Cancel()
	default:
		c.event.pending.Send(vblankEvent(uapi.EventTypeFlipComplete, c.event.userData, c.crtc.id, now))
	}
	if c.fence != nil {
		c.fence.SignalAt(now.at, err)
	}
	if c.cancel != nil {
		c.cancel()
	}
	close(c.done)
}

// settle waits, once the commit is shown, until nothing composes the state
// before it and its writebacks are written.
func (c *crtcCommit) settle() {
	c.crtc.vblank.capture.composer.settle(c.state)
	for _, w := range c.writebacks {
		<-w.done
	}
}

// onDone has cancel called when the commit completes, or at once if it has.
func (c *crtcCommit) onDone(cancel func()) {
	v := &c.crtc.vblank
	v.mu.Lock()
	defer v.mu.Unlock()
	select {
	case <-c.done:
		cancel()
	default:
		c.cancel = cancel
	}
}

// wait waits until the commit completes. It returns EINTR if ctx ends first; a
// nil ctx never ends.
func (c *crtcCommit) wait(ctx context.Context) error {
	if ctx == nil {
		<-c.done
		return nil
	}
	select {
	case <-c.done:
		return nil
	case <-ctx.Done():
	}
	if unplugged(ctx) {
		<-c.done // Unplug completes it at once
		return nil
	}
	return unix.EINTR
}

// await waits until the commit completes, even if ctx ends before. The context
// only hears that its request waits: see [drm.Request.Context].
func (c *crtcCommit) await(ctx context.Context) {
	select {
	case <-c.done:
		return
	default:
	}
	if ctx != nil {
		ctx.Done()
	}
	<-c.done
}

// unplugged reports whether a request's context ended because the device is
// being unplugged. Unplug then completes whatever the request waits for.
func unplugged(ctx context.Context) bool {
	return errors.Is(context.Cause(ctx), drm.ErrUnplugged)
}

// A flipEvent is the event that a client wants when a commit is shown.
type flipEvent struct {
	pending  *drm.PendingEvent
	userData uint64
}
