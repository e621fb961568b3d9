package kms

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/fence"
)

// A commit waits for the in-fences of its planes (IN_FENCE_FD), and signals its
// out-fences (OUT_FENCE_PTR) when it is shown. A blocking commit waits before
// it changes anything. The state of a nonblocking commit becomes current at
// once, as far as clients can tell, but its CRTCs are held: they show what they
// showed before until the in-fences are signalled.

// A prerequisite is something that a commit must wait for before it is tried
// again.
type prerequisite interface {
	// wait returns EINTR if ctx ends first. It returns nil if the device is
	// unplugged.
	wait(ctx context.Context) error
}

// A fenceWait is a prerequisite of in-fences.
type fenceWait struct{ fence *fence.Fence }

func (w fenceWait) wait(ctx context.Context) error {
	if w.fence.Wait(ctx) != nil && !unplugged(ctx) {
		return unix.EINTR
	}
	return nil
}

// setInFence makes the commit wait for a sync file before it shows p.
func (a *AtomicState) setInFence(p *Plane, fd int64) error {
	if a.inFences[p.index] != nil {
		return invalid("IN_FENCE_FD of plane %d set twice", p.id)
	}
	if fd == -1 {
		return nil
	}
	f, err := fence.Lookup(a.req, int32(fd))
	if err != nil {
		return fmt.Errorf("kms: IN_FENCE_FD of plane %d: %w", p.id, err)
	}
	if a.inFences == nil {
		a.inFences = make(map[int]*fence.Fence)
	}
	a.inFences[p.index] = f
	return nil
}

// pendingFence returns a fence that is signalled when the planes of the commit
// have nothing left to wait for, or nil if they have nothing now. A plane waits
// for its in-fence or, without one, for the fences of its framebuffer.
func (a *AtomicState) pendingFence() *fence.Fence {
	var pending []*fence.Fence
	for p := range a.Planes() {
		fb := a.new.planes[p.index].FB
		switch f := a.inFences[p.index]; {
		case f != nil && !f.Signaled():
			pending = append(pending, f)
		case f == nil && fb != nil:
			pending = append(pending, fb.pending()...)
		}
	}
	if len(pending) == 0 {
		return nil
	}
	return fence.Merge(pending...)
}

// noFence is written to the client's pointer while there is no fence.
const noFence = -1

// setOutFence requests a fence that is signalled when the commit is shown on c.
// A successful commit writes its descriptor to ptr. setOutFence writes -1 there
// first, and returns EFAULT if it cannot.
func (a *AtomicState) setOutFence(c *CRTC, ptr uint64) error {
	o, err := a.newOutFence(ptr)
	if o == nil {
		return err
	}
	if a.outFences == nil {
		a.outFences = make(map[int]*outFence)
	}
	a.outFences[c.index] = o
	return nil
}

// An outFence is a fence that a client has requested.
type outFence struct {
	ptr   uint64
	fence *fence.Fence // set by installOutFences
}

// newOutFence returns the request for a fence whose descriptor is written to
// ptr, or nil if ptr is 0.
func (a *AtomicState) newOutFence(ptr uint64) (*outFence, error) {
	if ptr == 0 {
		return nil, nil
	}
	if err := a.putFence(ptr, noFence); err != nil {
		return nil, err
	}
	return &outFence{ptr: ptr}, nil
}

func (a *AtomicState) putFence(ptr uint64, fd int32) error {
	return a.req.CopyToUserNow(ptr, binary.NativeEndian.AppendUint32(nil, uint32(fd)))
}

// forgetOutFences drops requests for fences. As in the kernel, only ATOMIC has
// them.
func (a *AtomicState) forgetOutFences() {
	a.outFences = nil
	for _, r := range a.writebacks {
		r.out = nil
	}
}

// checkEvents checks that the requested events and fences have something to
// report. A test-only commit requests none.
func (a *AtomicState) checkEvents() error {
	for i, c := range a.m.crtcs {
		if (a.events[i] != nil || a.outFences[i] != nil) && !a.old.crtcs[i].Active && !a.new.crtcs[i].Active {
			return invalid("event or fence requested, but CRTC %d is off and stays off", c.id)
		}
	}
	for i, r := range a.writebacks {
		if r.fb == nil && r.fbSet && r.out != nil {
			return invalid("connector %d: fence requested without a framebuffer to write", a.m.connectorAt(i).id)
		}
	}
	return nil
}

// installOutFences gives the client the fences that it requested. It is the
// last step that can fail. If it does, it signals with an error the fences that
// the client has already seen.
func (a *AtomicState) installOutFences(dev *drm.RegisteredDevice) error {
	var requested []*outFence
	for _, c := range a.m.crtcs {
		if o := a.outFences[c.index]; o != nil {
			o.fence = c.newFence(dev)
			requested = append(requested, o)
		}
	}
	for _, c := range a.m.Connectors() {
		if r := a.writebacks[c.index]; r != nil && r.fb != nil && r.out != nil {
			r.out.fence = c.newFence(dev)
			requested = append(requested, r.out)
		}
	}
	for _, o := range requested {
		fd, err := fence.Install(a.req, o.fence)
		if err == nil {
			err = a.putFence(o.ptr, fd)
		}
		if err != nil {
			for _, o := range requested {
				_ = a.putFence(o.ptr, noFence)
				o.fence.Signal(err)
			}
			return err
		}
	}
	return nil
}

// newFence returns the next fence of the commits to c. The caller holds
// ModeConfig.mu.
func (c *CRTC) newFence(dev *drm.RegisteredDevice) *fence.Fence {
	if c.fences == nil {
		c.fences = fence.NewContext(dev.Driver().Info.Name, fmt.Sprintf("CRTC:%d-crtc-%d", c.id, c.index))
	}
	return c.fences.New()
}

// scanout returns what the hardware shows: the current state, except for held
// CRTCs.
func (m *ModeConfig) scanout() *State {
	if shown := m.shown.Load(); shown != nil {
		return shown
	}
	return m.state.Load()
}

// program makes next the current state. It changes the hardware from what it
// shows to next, except for held CRTCs. If the driver fails, it passes the
// error to commits. The caller holds mu and has locked the vblanks.
func (m *ModeConfig) program(dev *drm.RegisteredDevice, from, next *State, commits []*crtcCommit) {
	before, to := m.shown.Load(), next
	var shown *State
	if held := m.heldCRTCs(); held != 0 {
		to = m.mixed(next, from, held)
		to.references(func(c counted) bool { m.objects.get(c); return true })
		shown = to
	}
	m.objects.mu.Lock() // so that compositions see both or neither
	m.state.Store(next)
	m.shown.Store(shown)
	m.objects.mu.Unlock()
	if err := m.config.Driver.commit(dev, from, to); err != nil {
		dev.Class().Logger().Error("kms: the hardware failed to commit a state", "device", dev.Name(), "err", err)
		failCommits(commits, err)
	}
	if before != nil {
		before.references(func(c counted) bool { m.objects.put(c); return true })
	}
}

// failCommits passes the error of Driver.Commit to the fences of the commits.
func failCommits(commits []*crtcCommit, err error) {
	for _, f := range commits {
		if !f.held {
			f.err = err
		}
	}
}

// heldCRTCs returns the mask of CRTCs whose last commit waits for fences. The
// caller holds mu and has locked the vblanks.
func (m *ModeConfig) heldCRTCs() (mask uint32) {
	for _, c := range m.crtcs {
		if f := c.vblank.current; f != nil && f.held {
			mask |= 1 << c.index
		}
	}
	return mask
}

// mixed returns the state new, with everything of the held CRTCs as in old.
func (m *ModeConfig) mixed(new, old *State, held uint32) *State {
	isHeld := func(a, b *CRTC) bool {
		return a != nil && held&(1<<a.index) != 0 || b != nil && held&(1<<b.index) != 0
	}
	s := new.clone()
	for i := range s.crtcs {
		if held&(1<<i) != 0 {
			s.crtcs[i] = old.crtcs[i]
		}
	}
	for i := range s.planes {
		if isHeld(old.planes[i].CRTC, new.planes[i].CRTC) {
			s.planes[i] = old.planes[i]
		}
	}
	for i, o := range m.colorops {
		if isHeld(old.planes[o.plane.index].CRTC, new.planes[o.plane.index].CRTC) {
			s.colorops[i] = old.colorops[i]
		}
	}
	for i := range min(len(s.connectors), len(old.connectors)) {
		if isHeld(old.connectors[i].CRTC, new.connectors[i].CRTC) {
			s.connectors[i] = old.connectors[i]
		}
	}
	return s
}

// releaseLater releases a held commit once its fences are signalled. commits
// are its parts.
func (m *ModeConfig) releaseLater(device *drm.Device, pending *fence.Fence, commits []*crtcCommit, signals signalChange) {
	remove := pending.AddCallback(func() {
		// After an unplug, Unplug completes the commits.
		go device.WithGuard(func(dev *drm.RegisteredDevice) error {
			m.release(dev, commits, signals)
			return nil
		})
	})
	for _, f := range commits {
		f.onDone(remove)
	}
}

// release releases a held commit, except for parts that were completed
// meanwhile.
func (m *ModeConfig) release(dev *drm.RegisteredDevice, commits []*crtcCommit, signals signalChange) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lockVblanks()
	defer m.unlockVblanks()
	from := m.scanout()
	commits = slices.DeleteFunc(commits, func(f *crtcCommit) bool { return f.crtc.vblank.current != f })
	var crtcs uint32
	for _, f := range commits {
		f.held = false
		crtcs |= 1 << f.crtc.index
		f.crtc.vblank.current = nil // so that off does not complete this commit
	}
	if crtcs == 0 {
		return
	}
	signals.end, signals.begin = signals.end&crtcs, signals.begin&crtcs
	m.endSignals(dev, signals)
	for _, f := range commits {
		f.crtc.vblank.queueCommit(f)
	}
	m.program(dev, from, m.state.Load(), commits)
	m.start(dev, commits, signals)
}
