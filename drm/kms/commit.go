package kms

import (
	"context"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/fence"
	"github.com/udrm/udrm/drm/uapi"
)

// commitOptions say how a change of state is committed.
type commitOptions struct {
	// ctx ends the wait for earlier commits: EINTR. nil for one that must not
	// be given up.
	ctx context.Context
	// nonblock: the commit does not wait. EBUSY when an earlier one of the
	// same kind is not shown yet.
	nonblock bool
	// unsynced: the commit neither waits for a vblank nor for other commits,
	// as moving a legacy cursor does.
	unsynced bool
	// testOnly: the change is checked and thrown away.
	testOnly bool
}

// commit is the way of every change of state: change edits a copy of the
// current state, the copy is checked as a whole, becomes the current state,
// and goes to the hardware; a blocking commit returns when it is shown, at the
// next vblank. A failed one changes nothing.
//
// change may be called several times: when an earlier commit is in the way,
// the attempt is thrown away and repeated.
func (m *ModeConfig) commit(dev *drm.RegisteredDevice, opts commitOptions, change func(t *transaction) error) error {
	for {
		wait, flips, err := m.tryCommit(dev, &opts, change)
		switch {
		case err != nil:
			return err
		case wait == nil:
			if !opts.nonblock && !opts.unsynced {
				for _, f := range flips {
					<-f.done
					f.settle()
				}
			}
			return nil
		}
		if err := wait.wait(opts.ctx); err != nil {
			return err
		}
	}
}

// tryCommit is one attempt. It returns what must be waited for first, an
// earlier flip or fences, or the flips that the commit has started.
func (m *ModeConfig) tryCommit(dev *drm.RegisteredDevice, opts *commitOptions, change func(t *transaction) error) (wait awaited, flips []*flip, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.begin()
	defer t.end()
	if err := change(t); err != nil {
		return nil, nil, err
	}
	if err := t.check(); err != nil {
		return nil, nil, err
	}
	if opts.testOnly {
		return nil, nil, nil
	}
	if err := t.checkAsked(); err != nil {
		return nil, nil, err
	}
	if !opts.unsynced {
		for _, c := range m.crtcs {
			if t.crtcs&(1<<c.index) == 0 {
				continue
			}
			if f := c.vblank.pending(); f != nil {
				if opts.nonblock && f.nonblock {
					return nil, nil, refuse(unix.EBUSY, "the last commit to CRTC %d is not shown yet", c.id)
				}
				return f, nil, nil
			}
		}
	}
	var pending *fence.Fence
	if !opts.unsynced && opts.ctx != nil && !unplugged(opts.ctx) {
		pending = t.pendingFence()
	}
	if pending != nil && !opts.nonblock {
		return fenceWait{pending}, nil, nil
	}
	if err := t.installOutFences(dev); err != nil {
		return nil, nil, err
	}
	return nil, m.apply(dev, t, opts, pending), nil
}

// apply makes the new state of t the current one, and shows it when pending is
// signalled, nil for now. The caller holds mu.
func (m *ModeConfig) apply(dev *drm.RegisteredDevice, t *transaction, opts *commitOptions, pending *fence.Fence) []*flip {
	modesets := t.modesets()
	from := m.scanout()
	for _, c := range m.crtcs {
		if modesets&(1<<c.index) != 0 {
			t.updateDPMS(c)
			if t.old.crtcs[c.index].Active {
				c.vblank.off(dev)
			}
		}
	}
	var flips []*flip
	var lit uint64 // CRTCs whose signal begins
	for _, c := range m.crtcs {
		if t.crtcs&(1<<c.index) == 0 {
			continue
		}
		if t.new.crtcs[c.index].Active {
			lit |= modesets & (1 << c.index)
		}
		if !opts.unsynced {
			f := &flip{
				crtc: c, state: t.new, done: make(chan struct{}), nonblock: opts.nonblock, event: t.events[c.index],
				held: pending != nil, writebacks: t.startWritebacks(c),
			}
			if o := t.outFences[c.index]; o != nil {
				f.fence = o.fence
			}
			flips = append(flips, f)
			c.vblank.queueFlip(f)
		}
	}
	t.events = nil // they are on their way

	t.new.references(func(c counted) bool { m.objects.get(c); return true })
	m.state.Store(t.new)
	m.program(dev, from)
	t.old.references(func(c counted) bool { m.objects.put(c); return true })
	if pending != nil {
		m.releaseLater(dev.Device, pending, flips, lit)
	} else {
		m.light(dev, lit)
		for _, f := range flips {
			f.crtc.vblank.startFlip(dev, f)
		}
	}
	if t.onSuccess != nil {
		t.onSuccess()
	}
	return flips
}

// light begins the vblanks of CRTCs that were just switched on.
func (m *ModeConfig) light(dev *drm.RegisteredDevice, lit uint64) {
	for _, c := range m.crtcs {
		if lit&(1<<c.index) != 0 {
			c.vblank.on(dev, &m.state.Load().crtcs[c.index].Mode)
		}
	}
}

// modesets returns the touched CRTCs whose signal is interrupted.
func (t *transaction) modesets() (mask uint64) {
	for _, c := range t.m.crtcs {
		if t.crtcs&(1<<c.index) != 0 && t.needsModeset(c) {
			mask |= 1 << c.index
		}
	}
	return mask
}

// updateDPMS makes the legacy property of the connectors of c follow a
// modeset.
func (t *transaction) updateDPMS(c *CRTC) {
	for i := range t.new.connectors {
		s := &t.new.connectors[i]
		switch {
		case s.CRTC == c:
			s.DPMS = dpms(t.new.crtcs[c.index].Active)
		case s.CRTC == nil && t.old.connectors[i].CRTC == c:
			s.DPMS = uapi.ModeDPMSOff
		}
	}
}
