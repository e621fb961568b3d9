package kms

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/mode"
)

// vblank handles the vertical blanking of one CRTC: it wakes waiters, completes
// commits and has frames captured (struct drm_vblank_crtc). A timer runs only
// while one of them needs it.
type vblank struct {
	m    *ModeConfig
	crtc *CRTC

	mu      sync.Mutex
	time    timeline    // runs while the CRTC is on
	gone    bool        // the device is unplugged: all requests complete at once
	frames  uint64      // shown so far; see CRTC.Frames
	current *crtcCommit // that the next vblank shows, or nil
	waiters []*waiter   // in order of arrival
	capture capture

	enabled bool   // the driver was told EnableVblank
	stop    func() // stops the timer; nil without one
	timer   uint64 // generation; a timer that lost the race with stop has an old one
	next    uint64 // the vblank that the timer is for
}

// A waiter is told of the first vblank that reaches its sequence. If there will
// be none, it is told of the last one.
type waiter struct {
	sequence uint64
	file     *drm.File        // that gets an event; nil for a sleeping request
	deliver  func(vblankTime) // called once, with vblank.mu held
}

func (v *vblank) init(m *ModeConfig, c *CRTC) {
	v.m, v.crtc = m, c
	v.time.external = c.config.VblankSource
	v.capture.m, v.capture.crtc = m, c
}

// now returns the last vblank. The caller holds mu.
func (v *vblank) now() vblankTime { return v.time.now(v.m.config.Clock.Now()) }

// on starts the vblanks of a CRTC that was just switched on. The caller holds
// mu.
func (v *vblank) on(dev *drm.RegisteredDevice, m *mode.Mode) {
	v.time.start(m, v.m.config.Clock.Now())
	if v.time.external {
		v.enable(dev)
	} else if v.need() {
		v.arm(dev)
	}
}

// off stops the vblanks, and completes everything that waits for one. The
// caller holds mu.
func (v *vblank) off(dev *drm.RegisteredDevice) {
	v.time.stop(v.m.config.Clock.Now())
	v.flush()
	v.disable(dev)
	v.m.changes.announce()
}

// unplug completes everything that waits for a vblank, and everything that
// comes later.
func (v *vblank) unplug() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.gone = true
	v.flush()
	v.m.changes.announce()
	if v.capture.crc != nil {
		v.capture.crc.finish(unix.ENODEV)
	}
	if v.stop != nil {
		v.stop()
		v.stop = nil
	}
}

// flush completes everything that waits, at the last vblank. The caller holds
// mu.
func (v *vblank) flush() {
	now := v.now()
	v.capture.finish(now)
	v.finishCommit(now)
	for _, w := range v.waiters {
		w.deliver(now)
	}
	v.waiters = nil
}

// finishCommit completes the commit under way at now, if there is one.
func (v *vblank) finishCommit(now vblankTime) {
	if v.current != nil {
		err := v.current.err
		if v.current.stop != nil {
			v.current.stop()
		}
		if v.current.lost {
			err = v.current.notShown()
		}
		if v.gone {
			err = drm.ErrUnplugged
		}
		if !v.current.started {
			drop(v.current.writebacks)
		}
		if v.time.running && v.current.started && !v.current.lost && !v.gone {
			v.frames++
			v.current.device.Tracepoint(drm.TraceEvent{Kind: drm.EventFrame, CRTC: v.crtc.id, Sequence: now.count})
		}
		v.current.complete(now, err)
		v.current = nil
		v.m.changes.announce()
	}
}

// forget drops the events of a closed file.
func (v *vblank) forget(f *drm.File) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.waiters = slices.DeleteFunc(v.waiters, func(w *waiter) bool { return w.file == f })
}

// pending returns the commit that is not shown yet, or nil.
func (v *vblank) pending(dev *drm.RegisteredDevice) *crtcCommit {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.catchUp(dev)
	return v.current
}

// queueCommit makes c the commit under way. The caller holds mu.
func (v *vblank) queueCommit(c *crtcCommit) {
	v.current = c
	if v.gone {
		v.finishCommit(v.now())
	}
}

// startCommit starts the wait for the vblank that shows c, if c is still the
// commit under way. The caller holds mu.
func (v *vblank) startCommit(dev *drm.RegisteredDevice, c *crtcCommit) {
	if v.current != c {
		return
	}
	now := v.now()
	if !v.time.running {
		v.endCommit(dev, c)
		return
	}
	c.device = dev.Device
	if c.async {
		v.showAsync(c)
		return
	}
	c.started, c.target = true, now.count+1
	v.vary(c.state)
	v.capture.writebacks = append(v.capture.writebacks, c.writebacks...)
	v.armFor(dev, c.target) // it may have begun, if the refresh rate varies
}

// showAsync shows c at once, unless a frame is being composed from what the CRTC
// has shown before: only then may the client draw there. The caller holds mu.
func (v *vblank) showAsync(c *crtcCommit) {
	show := func() {
		now := v.now()
		c.started, c.target = true, now.count+1
		v.show(now)
	}
	if !v.capture.composer.busy(c.state) {
		show()
		return
	}
	go func() {
		v.capture.composer.settle(c.state)
		_ = c.device.WithGuard(func(*drm.RegisteredDevice) error { // else Unplug completes it
			v.mu.Lock()
			defer v.mu.Unlock()
			if v.current == c {
				show()
			}
			return nil
		})
	}()
}

// endCommit completes c, whose CRTC is off. A client that does not wait learns of
// the end of the signal when the frame under way ends: only then is the memory of
// the framebuffers its own. The caller holds mu.
func (v *vblank) endCommit(dev *drm.RegisteredDevice, c *crtcCommit) {
	if !c.off || !c.nonblock || v.gone {
		v.finishCommit(v.now())
		return
	}
	c.device = dev.Device
	v.finishAt(v.time.last.at+v.time.mode.FramesTime(1), c)
}

// finishAt completes c, which no vblank completes, at the given time, if it is
// still the commit under way then. The caller holds mu.
func (v *vblank) finishAt(at time.Duration, c *crtcCommit) {
	c.stop = v.m.config.Clock.At(at, func() {
		_ = c.device.WithGuard(func(*drm.RegisteredDevice) error { // else Unplug completes it
			v.mu.Lock()
			defer v.mu.Unlock()
			if v.current == c {
				v.finishCommit(v.now())
			}
			return nil
		})
	})
}

// vary moves the next vblank forward if the state has a variable refresh rate,
// or the last one had. The caller holds mu.
func (v *vblank) vary(state *State) {
	longest := v.longestFrame(state)
	if v.time.external || longest == 0 && v.time.longest == 0 {
		return
	}
	v.time.vary(longest, v.m.config.Clock.Now())
	if v.stop != nil { // the timer is for another time
		v.stop()
		v.stop = nil
	}
}

// longestFrame returns the longest frame that the monitors of the CRTC can show,
// or 0 if the refresh rate is fixed: the client has not enabled a variable one,
// or a monitor cannot vary it.
func (v *vblank) longestFrame(state *State) (longest time.Duration) {
	crtc := &state.crtcs[v.crtc.index]
	if !crtc.VRREnabled {
		return 0
	}
	for _, c := range v.m.Connectors() {
		if state.connector(c).CRTC != v.crtc || c.writeback() {
			continue
		}
		refresh := c.lastProbe().refresh
		if c.vrrCapable == nil || refresh[0] == 0 {
			return 0
		}
		if frame := time.Second / time.Duration(refresh[0]); longest == 0 || frame < longest {
			longest = frame
		}
	}
	if longest <= crtc.Mode.FramesTime(1) {
		return 0
	}
	return longest
}

// need reports whether the next vblank has anything to do. The caller holds mu.
func (v *vblank) need() bool {
	return v.current != nil && v.current.started && !v.current.lost || len(v.waiters) > 0 || v.capture.wanted()
}

// arm starts the timer for the next vblank. The caller holds mu.
func (v *vblank) arm(dev *drm.RegisteredDevice) { v.armFor(dev, v.now().count+1) }

// armFor starts the timer for the vblank with the given number, unless there is
// a timer. The caller holds mu.
func (v *vblank) armFor(dev *drm.RegisteredDevice, count uint64) {
	v.enable(dev)
	if v.stop != nil || v.gone || v.time.external {
		return
	}
	v.timer++
	v.next = count
	device, timer := dev.Device, v.timer
	v.stop = v.m.config.Clock.At(v.time.at(v.next).at, func() { v.interrupt(device, timer) })
}

// disable stops the timer. The caller holds mu.
func (v *vblank) disable(dev *drm.RegisteredDevice) {
	if v.stop != nil {
		v.stop()
		v.stop = nil
	}
	if v.enabled {
		v.enabled = false
		v.m.config.Driver.disableVblank(dev, v.crtc)
	}
}

// interrupt is the vblank interrupt. It runs in a guard of its own. It does
// nothing once the device is unplugged: then Unplug completes everything.
func (v *vblank) interrupt(device *drm.Device, timer uint64) {
	device.WithGuard(func(dev *drm.RegisteredDevice) error {
		v.mu.Lock()
		defer v.mu.Unlock()
		if v.stop != nil && v.timer == timer {
			v.tick(dev)
		}
		return nil
	})
}

// catchUp handles vblanks that have begun though their timer is late. It must
// be called before a change of what is shown, so that they do not see the
// change. The caller holds mu.
func (v *vblank) catchUp(dev *drm.RegisteredDevice) {
	if v.stop != nil && v.time.running && v.now().count >= v.next {
		v.stop()
		v.tick(dev)
	}
}

// tick handles a vblank whose timer has expired or was stopped. The caller
// holds mu.
func (v *vblank) tick(dev *drm.RegisteredDevice) {
	v.stop = nil
	v.handle(dev)
	if v.need() {
		v.arm(dev)
	} else {
		v.disable(dev)
	}
}

// enable tells the driver that vblanks are wanted. The caller holds mu.
func (v *vblank) enable(dev *drm.RegisteredDevice) {
	if !v.enabled {
		v.enabled = true
		v.m.config.Driver.enableVblank(dev, v.crtc)
	}
}

// handle handles the last vblank. The caller holds mu.
func (v *vblank) handle(dev *drm.RegisteredDevice) {
	now := v.now()
	dev.Tracepoint(drm.TraceEvent{Kind: drm.EventVblank, CRTC: v.crtc.id, Sequence: now.count})
	v.m.config.Driver.vblank(dev, v.crtc, now.count)
	v.capture.vblank(now, v.shown())
	v.deliver(now)
}

// HandleVblank reports that a vblank of c has begun at the given time of the
// clock. A driver with [CRTCConfig.VblankSource] calls it inside a guard,
// between Driver.EnableVblank and Driver.DisableVblank, but not from them
// (drm_crtc_handle_vblank). At other times it does nothing.
func (c *CRTC) HandleVblank(dev *drm.RegisteredDevice, at time.Duration) {
	v := &c.vblank
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.time.running || v.gone {
		return
	}
	v.time.tick(at)
	v.handle(dev)
}

// shown returns the vblank that showed the commit under way, or 0.
func (v *vblank) shown() uint64 {
	if v.current != nil && v.current.started {
		return v.current.target
	}
	return 0
}

// deliver sends what is due. Events carry the vblank at which they were due, so
// that readers do not notice a timer that is several vblanks late. The caller
// holds mu.
func (v *vblank) deliver(now vblankTime) {
	var due []*waiter
	v.waiters = slices.DeleteFunc(v.waiters, func(w *waiter) bool {
		if !passed(now.count, w.sequence) {
			return false
		}
		due = append(due, w)
		return true
	})
	slices.SortStableFunc(due, func(a, b *waiter) int { return cmp.Compare(a.sequence, b.sequence) })
	for _, w := range due {
		v.deliverCommit(w.sequence)
		if w.file == nil {
			w.deliver(now) // a request that is woken late reports the current vblank
		} else {
			w.deliver(v.time.at(w.sequence))
		}
	}
	v.deliverCommit(now.count)
}

// deliverCommit completes the commit under way if vblank number count shows it.
func (v *vblank) deliverCommit(count uint64) {
	if v.current != nil && v.current.started && passed(count, v.current.target) {
		v.show(v.time.at(v.current.target))
	}
}

// read returns the last vblank, or EINVAL if the CRTC is off.
func (v *vblank) read() (vblankTime, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.time.running {
		return v.time.last, v.offError()
	}
	return v.now(), nil
}

func (v *vblank) offError() error { return invalid("CRTC %d is off, so it has no vblanks", v.crtc.id) }

// queue sends an event to the file at the first vblank that reaches sequence,
// or at once if one has. It returns the number of that vblank.
func (v *vblank) queue(dev *drm.RegisteredDevice, f *drm.File, sequence uint64, size int, encode func(vblankTime) []byte) (uint64, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.time.running {
		return 0, v.offError()
	}
	event, err := f.ReserveEvent(size)
	if err != nil {
		return 0, err
	}
	now := v.now()
	if v.gone || passed(now.count, sequence) {
		event.Send(encode(now))
		return now.count, nil
	}
	v.waiters = append(v.waiters, &waiter{sequence, f, func(now vblankTime) { event.Send(encode(now)) }})
	v.arm(dev)
	return sequence, nil
}

// sleepLimit is the time after which WAIT_VBLANK gives up.
const sleepLimit = 3 * time.Second

// sleep waits until a vblank reaches sequence, the CRTC is switched off or the
// device is unplugged. It returns the vblank of that moment. Errors: EBUSY
// after sleepLimit, EINTR if the request is interrupted.
func (v *vblank) sleep(ctx context.Context, dev *drm.RegisteredDevice, sequence uint64) (vblankTime, error) {
	type result struct {
		now vblankTime
		err error
	}
	ended := make(chan result, 1)
	w := &waiter{sequence, nil, func(now vblankTime) { ended <- result{now, nil} }}
	// fail ends the wait, unless it has ended.
	fail := func(err error) {
		v.mu.Lock()
		defer v.mu.Unlock()
		if i := slices.Index(v.waiters, w); i >= 0 {
			v.waiters = slices.Delete(v.waiters, i, i+1)
			ended <- result{v.now(), err}
		}
	}
	stop, now, ok := v.enqueue(dev, w, func() {
		fail(refuse(unix.EBUSY, "vblank %d of CRTC %d did not come within %v", sequence, v.crtc.id, sleepLimit))
	})
	if !ok {
		return now, nil
	}
	defer stop()
	select {
	case r := <-ended:
		return r.now, r.err
	case <-ctx.Done():
	}
	if !unplugged(ctx) { // Unplug ends all waits
		fail(unix.EINTR)
	}
	r := <-ended
	return r.now, r.err
}

// enqueue adds w, and has expire called after [sleepLimit] unless stop is, or the
// device is being unplugged: Unplug ends all waits. ok is false when w need not
// wait.
func (v *vblank) enqueue(dev *drm.RegisteredDevice, w *waiter, expire func()) (stop func(), now vblankTime, ok bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	now = v.now()
	if v.gone || !v.time.running || passed(now.count, w.sequence) {
		return nil, now, false
	}
	v.waiters = append(v.waiters, w)
	v.arm(dev)
	clock, device := v.m.config.Clock, dev.Device
	return clock.At(clock.Now()+sleepLimit, func() {
		_ = device.WithGuard(func(*drm.RegisteredDevice) error {
			expire()
			return nil
		})
	}), now, true
}
