package kms

import (
	"context"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
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
				}
			}
			return nil
		}
		if err := wait.wait(opts.ctx); err != nil {
			return err
		}
	}
}

// tryCommit is one attempt. It returns an earlier flip to be waited for
// first, or the flips that the commit has started.
func (m *ModeConfig) tryCommit(dev *drm.RegisteredDevice, opts *commitOptions, change func(t *transaction) error) (wait *flip, flips []*flip, err error) {
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
	for i := range t.events {
		if !t.old.crtcs[i].Active && !t.new.crtcs[i].Active {
			return nil, nil, invalid("an event is asked for, but CRTC %d is off and stays off", m.crtcs[i].id)
		}
	}
	if opts.testOnly {
		return nil, nil, nil
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
	return nil, m.apply(dev, t, opts), nil
}

// apply makes the new state of t the current one. The caller holds mu.
func (m *ModeConfig) apply(dev *drm.RegisteredDevice, t *transaction, opts *commitOptions) []*flip {
	modesets := t.modesets()
	for _, c := range m.crtcs {
		if modesets&(1<<c.index) != 0 {
			t.updateDPMS(c)
			if t.old.crtcs[c.index].Active {
				c.vblank.off(dev)
			}
		}
	}
	t.new.references(func(c counted) bool { m.objects.get(c); return true })
	m.state.Store(t.new)
	t.old.references(func(c counted) bool { m.objects.put(c); return true })

	m.config.Driver.Commit(dev, t.old, t.new)

	var flips []*flip
	for _, c := range m.crtcs {
		if t.crtcs&(1<<c.index) == 0 {
			continue
		}
		if new := &t.new.crtcs[c.index]; new.Active && modesets&(1<<c.index) != 0 {
			c.vblank.on(&new.Mode)
		}
		if !opts.unsynced {
			flips = append(flips, c.vblank.flip(dev, opts.nonblock, t.events[c.index]))
		}
	}
	t.events = nil // they are on their way
	if t.onSuccess != nil {
		t.onSuccess()
	}
	return flips
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
		if s.CRTC == c {
			s.DPMS = dpms(t.new.crtcs[c.index].Active)
		}
	}
}
