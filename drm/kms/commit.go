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
	// ctx ends the wait for earlier commits: EINTR. With nil the wait has no
	// other end.
	ctx context.Context
	// nonblock: the commit does not wait. EBUSY when an earlier such commit is
	// not shown yet.
	nonblock bool
	// unsynced: the commit waits neither for a vblank nor for other commits,
	// as a move of the legacy cursor. With ctx it waits for modesets.
	unsynced bool
	// async: the commit is shown at once, not at a vblank.
	async bool
	// testOnly: the change is checked and dropped.
	testOnly bool
}

// commit makes a change of state. Every change goes this way: change edits a
// copy of the current state, which is checked as a whole, becomes the current
// state, and goes to the hardware. A blocking commit returns when it is shown,
// at the next vblank. A commit that fails changes nothing.
//
// commit may call change several times: while an earlier commit is in the way,
// it drops the change, waits, and tries again.
func (m *ModeConfig) commit(dev *drm.RegisteredDevice, opts commitOptions, change func(t *AtomicState) error) error {
	for {
		wait, commits, err := m.tryCommit(dev, &opts, change)
		switch {
		case err != nil:
			return err
		case wait == nil:
			m.freeLeaving(dev)
			if !opts.nonblock && !opts.unsynced {
				for _, f := range commits {
					f.await(opts.ctx)
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

// tryCommit tries once. It returns what must complete first, an earlier commit
// or fences, or else the parts of the commit that it has started.
func (m *ModeConfig) tryCommit(dev *drm.RegisteredDevice, opts *commitOptions, change func(t *AtomicState) error) (wait prerequisite, commits []*crtcCommit, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a := m.begin()
	defer a.end()
	if err := change(a); err != nil {
		return nil, nil, err
	}
	if err := a.check(); err != nil {
		return nil, nil, err
	}
	if opts.testOnly {
		return nil, nil, nil
	}
	if err := a.checkEvents(); err != nil {
		return nil, nil, err
	}
	if f := a.inTheWay(dev, opts); f != nil {
		if opts.nonblock && f.nonblock {
			return nil, nil, refuse(unix.EBUSY, "the last commit to CRTC %d is not shown yet", f.crtc.id)
		}
		return f, nil, nil
	}
	var pending *fence.Fence
	if !opts.unsynced && opts.ctx != nil && !unplugged(opts.ctx) {
		pending = a.pendingFence()
	}
	if pending != nil && !opts.nonblock {
		return fenceWait{pending}, nil, nil
	}
	late, err := m.config.Driver.prepare(dev, a)
	if err != nil {
		return nil, nil, err
	}
	if late != nil && !late.Signaled() && !opts.unsynced && (opts.ctx == nil || !unplugged(opts.ctx)) {
		pending = join(pending, late)
	}
	if err := a.installOutFences(dev); err != nil {
		return nil, nil, err
	}
	return nil, m.apply(dev, a, opts, pending), nil
}

// join returns a fence that is signalled when both are; f may be nil.
func join(f, g *fence.Fence) *fence.Fence {
	if f == nil {
		return g
	}
	return fence.Merge(f, g)
}

// inTheWay returns an earlier commit that must be shown first, or nil.
func (a *AtomicState) inTheWay(dev *drm.RegisteredDevice, opts *commitOptions) *crtcCommit {
	for c := range a.CRTCs() {
		f := c.vblank.pending(dev)
		if f != nil && (!opts.unsynced || f.modeset && opts.ctx != nil) {
			return f
		}
	}
	return nil
}

// apply makes the new state of a the current one. The hardware shows it when
// pending is signalled, or at once if pending is nil. The caller holds mu.
func (m *ModeConfig) apply(dev *drm.RegisteredDevice, a *AtomicState, opts *commitOptions, pending *fence.Fence) []*crtcCommit {
	modesets := a.modesets()
	for _, c := range m.crtcs {
		if modesets&(1<<c.index) != 0 {
			a.updateDPMS(c)
		}
	}
	signals := a.signals(modesets)
	commits := a.newCommits(opts, modesets)
	a.new.references(func(c counted) bool { m.objects.get(c); return true })
	m.swap(dev, a, commits, signals, pending != nil)
	a.old.references(func(c counted) bool { m.objects.put(c); return true })
	if pending != nil {
		m.releaseLater(dev.Device, pending, commits, signals)
	}
	if a.onSuccess != nil {
		a.onSuccess()
	}
	a.authenticate(dev.Device)
	if len(commits) == 0 {
		m.changes.announce() // no vblank will
	}
	return commits
}

// newCommits returns a crtcCommit for each CRTC that must show the commit.
func (a *AtomicState) newCommits(opts *commitOptions, modesets uint32) (commits []*crtcCommit) {
	if opts.unsynced {
		return nil
	}
	for c := range a.CRTCs() {
		f := &crtcCommit{
			crtc: c, state: a.new, done: make(chan struct{}), nonblock: opts.nonblock, async: opts.async,
			event:   a.events[c.index],
			modeset: modesets&(1<<c.index) != 0, writebacks: a.startWritebacks(c),
			off: a.old.crtcs[c.index].Active && !a.new.crtcs[c.index].Active,
		}
		if o := a.outFences[c.index]; o != nil {
			f.fence = o.fence
		}
		commits = append(commits, f)
	}
	a.events = nil // the commits have them
	return commits
}

// swap changes the state. A vblank finds all of the commit or nothing of it.
// The hardware does not show a commit that is held yet.
func (m *ModeConfig) swap(dev *drm.RegisteredDevice, a *AtomicState, commits []*crtcCommit, signals signalChange, held bool) {
	m.lockVblanks()
	defer m.unlockVblanks()
	for _, c := range m.crtcs {
		c.vblank.catchUp(dev)
	}
	from := m.scanout()
	if !held {
		m.endSignals(dev, signals)
	}
	for _, f := range commits {
		f.held = held
		f.crtc.vblank.queueCommit(f)
	}
	m.program(dev, from, a.new, commits)
	if !held {
		m.start(dev, commits, signals)
	}
}

// lockVblanks takes vblank.mu of all CRTCs. The caller holds mu.
func (m *ModeConfig) lockVblanks() {
	for _, c := range m.crtcs {
		c.vblank.mu.Lock()
	}
}

func (m *ModeConfig) unlockVblanks() {
	for _, c := range m.crtcs {
		c.vblank.mu.Unlock()
	}
}

// A signalChange has the CRTCs whose signal a commit ends or begins, one bit
// each by index. A modeset of a CRTC that is active before and after is in both.
type signalChange struct{ end, begin uint32 }

// signals returns what the modesets do to the signals.
func (a *AtomicState) signals(modesets uint32) (change signalChange) {
	for i := range a.m.crtcs {
		bit := modesets & (1 << i)
		if a.old.crtcs[i].Active {
			change.end |= bit
		}
		if a.new.crtcs[i].Active {
			change.begin |= bit
		}
	}
	return change
}

// endSignals ends the vblanks of CRTCs that are switched off. The caller has
// locked the vblanks.
func (m *ModeConfig) endSignals(dev *drm.RegisteredDevice, signals signalChange) {
	for _, c := range m.crtcs {
		if signals.end&(1<<c.index) != 0 {
			c.vblank.off(dev)
		}
	}
}

// start begins the vblanks of CRTCs that were just switched on, and starts the
// commits. The caller has locked the vblanks.
func (m *ModeConfig) start(dev *drm.RegisteredDevice, commits []*crtcCommit, signals signalChange) {
	for _, c := range m.crtcs {
		if signals.begin&(1<<c.index) != 0 {
			c.vblank.on(dev, &m.state.Load().crtcs[c.index].Mode)
		}
	}
	for _, f := range commits {
		f.crtc.vblank.startCommit(dev, f)
	}
}

// modesets returns the CRTCs of the change whose signal it interrupts, as a mask.
func (a *AtomicState) modesets() (mask uint32) {
	for c := range a.CRTCs() {
		if a.NeedsModeset(c) {
			mask |= 1 << c.index
		}
	}
	return mask
}

// updateDPMS adjusts the legacy property of the connectors of c to a modeset.
func (a *AtomicState) updateDPMS(c *CRTC) {
	for i := range a.new.connectors {
		s := &a.new.connectors[i]
		switch {
		case s.CRTC == c:
			s.DPMS = dpms(a.new.crtcs[c.index].Active)
		case s.CRTC == nil && a.old.connectors[i].CRTC == c:
			s.DPMS = uapi.ModeDPMSOff
		}
	}
}
