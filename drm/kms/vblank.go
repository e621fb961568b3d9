package kms

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/mode"
)

// vblank is the vertical blanking of one CRTC: its counter and who waits for
// it (struct drm_vblank_crtc).
//
// While the CRTC is on, vblanks lie on an ideal grid: number n after the
// first begins n frames after the CRTC was switched on, to the nanosecond.
// Counter and timestamps are computed from the time, so that they are right
// whether anybody was looking or not. A timer runs only while somebody waits.
type vblank struct {
	m    *ModeConfig
	crtc *CRTC

	mu    sync.Mutex
	isOn  bool
	gone  bool // unplugged: whoever comes gets everything at once
	mode  mode.Mode
	epoch time.Duration // when the CRTC was switched on
	base  uint64        // the counter at epoch
	last  vblankTime    // while off: what it was when it was switched off

	frames  uint64    // shown so far; see CRTC.Frames
	current *flip     // the commit that the next vblank shows
	waiters []*waiter // in the order of their coming

	// Who looks at the picture; see capture.
	crc        *CRCStream   // nil for nobody
	writebacks []*writeback // to be filled with the next frame
	captured   captured
	composer   composer

	enabled bool   // the driver was told EnableVblank
	stop    func() // of the timer; nil while there is none
	timer   uint64 // which timer that is: one that came too late to be stopped is not it
	next    uint64 // the vblank that it is for
}

// A vblankTime is a vblank: its number and when it began.
type vblankTime struct {
	count uint64
	at    time.Duration
}

// A waiter is told of the first vblank that has reached its sequence, or of
// the last one, when there will be none.
type waiter struct {
	sequence uint64
	file     *drm.File        // whose event it is; nil for a sleeping request
	deliver  func(vblankTime) // called once, with vblank.mu held
}

func (v *vblank) init(m *ModeConfig, c *CRTC) { v.m, v.crtc = m, c }

// passed reports whether the counter has reached sequence; sequences more
// than 2^23 behind count as being ahead (drm_vblank_passed).
func passed(count, sequence uint64) bool { return count-sequence <= 1<<23 }

// now returns the last vblank. The caller holds mu.
func (v *vblank) now() vblankTime {
	if !v.isOn || v.external() {
		return v.last
	}
	return v.at(v.base + v.mode.FramesIn(v.m.config.Clock.Now()-v.epoch))
}

// at returns the vblank of that number. The caller holds mu, and the CRTC is
// on.
func (v *vblank) at(count uint64) vblankTime {
	if v.external() {
		return v.last
	}
	return vblankTime{count, v.epoch + v.mode.FramesTime(count-v.base)}
}

// external reports whether the driver counts the vblanks, see
// [CRTC.HandleVblank].
func (v *vblank) external() bool { return v.crtc.config.VblankSource }

// on begins the grid: the CRTC was just switched on, with mode. The counter
// goes on by one. The caller holds mu.
func (v *vblank) on(dev *drm.RegisteredDevice, mode *mode.Mode) {
	v.isOn, v.mode = true, *mode
	v.epoch = v.m.config.Clock.Now()
	v.base = v.last.count + 1
	if v.external() {
		v.last = vblankTime{v.base, v.epoch}
		v.enable(dev)
	} else if v.need() {
		v.arm(dev)
	}
}

// off ends the grid. Whoever waits is answered now: no vblank will come. The
// caller holds mu.
func (v *vblank) off(dev *drm.RegisteredDevice) {
	v.last = v.now()
	v.isOn = false
	v.flush()
	v.disable(dev)
	v.m.changes.announce()
}

// unplug answers whoever waits, or comes to wait from now on, at once.
func (v *vblank) unplug() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.gone = true
	v.flush()
	v.m.changes.announce()
	if v.crc != nil {
		v.crc.finish(unix.ENODEV)
	}
	if v.stop != nil {
		v.stop()
		v.stop = nil
	}
}

// flush completes everything as of now. The caller holds mu.
func (v *vblank) flush() {
	now := v.now()
	v.capture(now, false)
	v.captured = captured{}
	v.finishFlip(now)
	for _, w := range v.waiters {
		w.deliver(now)
	}
	v.waiters = nil
}

func (v *vblank) finishFlip(now vblankTime) {
	if v.current != nil {
		err := v.current.err
		if v.gone {
			err = drm.ErrUnplugged
		}
		if !v.current.started {
			for _, w := range v.current.writebacks {
				w.complete(drm.ErrUnplugged) // it never was to be seen
			}
		}
		if v.isOn && v.current.started && !v.gone {
			v.frames++
		}
		v.current.complete(now, err)
		v.current = nil
		v.m.changes.announce()
	}
}

// forget drops the events of a file that was closed.
func (v *vblank) forget(f *drm.File) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.waiters = slices.DeleteFunc(v.waiters, func(w *waiter) bool { return w.file == f })
}

// pending returns the commit that is not shown yet, nil when there is none.
func (v *vblank) pending(dev *drm.RegisteredDevice) *flip {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.catchUp(dev)
	return v.current
}

// queueFlip makes f the commit under way. The caller holds mu.
func (v *vblank) queueFlip(f *flip) {
	v.current = f
	if v.gone {
		v.finishFlip(v.now())
	}
}

// startFlip starts the wait for the vblank that shows the commit under way, if
// that still is f. On a CRTC that is off it is over at once. The caller holds
// mu.
func (v *vblank) startFlip(dev *drm.RegisteredDevice, f *flip) {
	if v.current != f {
		return
	}
	now := v.now()
	if !v.isOn {
		v.finishFlip(now)
		return
	}
	f.started, f.target = true, now.count+1
	if f.async {
		v.finishFlip(now)
		return
	}
	v.writebacks = append(v.writebacks, f.writebacks...)
	v.arm(dev)
}

// need reports whether somebody waits for a vblank. The caller holds mu.
func (v *vblank) need() bool {
	return v.current != nil && v.current.started || len(v.waiters) > 0 || v.crc != nil || len(v.writebacks) > 0
}

// arm makes the next vblank be noticed. The caller holds mu.
func (v *vblank) arm(dev *drm.RegisteredDevice) {
	v.enable(dev)
	if v.stop != nil || v.gone || v.external() {
		return
	}
	v.timer++
	v.next = v.now().count + 1
	device, timer := dev.Device, v.timer
	v.stop = v.m.config.Clock.At(v.at(v.next).at, func() { v.interrupt(device, timer) })
}

// disable ends the noticing. The caller holds mu.
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

// interrupt is the vblank interrupt. It runs in a guard of its own; when there
// is none to be had, Unplug has answered everybody, or is about to.
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

// catchUp is for who is about to change what is shown: when the timer is late,
// the vblanks that have begun see nothing of it. The caller holds mu.
func (v *vblank) catchUp(dev *drm.RegisteredDevice) {
	if v.stop != nil && v.isOn && v.now().count >= v.next {
		v.stop()
		v.tick(dev)
	}
}

// tick does what a vblank brings, once its timer is over. The caller holds mu.
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

// handle tells the driver and clients of the last vblank. The caller holds mu.
func (v *vblank) handle(dev *drm.RegisteredDevice) {
	now := v.now()
	v.m.config.Driver.vblank(dev, v.crtc, now.count)
	v.capture(now, true)
	v.deliver(now)
}

// HandleVblank says that a vblank of c has begun at the given time of the
// clock. A driver with [CRTCConfig.VblankSource] calls it, from inside a guard,
// between Driver.EnableVblank and Driver.DisableVblank, but not from them
// (drm_crtc_handle_vblank). At other times it does nothing.
func (c *CRTC) HandleVblank(dev *drm.RegisteredDevice, at time.Duration) {
	v := &c.vblank
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.isOn || v.gone {
		return
	}
	v.last = vblankTime{v.last.count + 1, at}
	v.handle(dev)
}

// deliver sends what is due, events with the vblank that they were due at: when
// the timer is late by some vblanks, which only a loaded machine makes it, who
// reads them cannot tell. The caller holds mu.
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
		v.deliverFlip(w.sequence)
		if w.file == nil {
			w.deliver(now) // who is woken late sees the vblank that it is
		} else {
			w.deliver(v.at(w.sequence))
		}
	}
	v.deliverFlip(now.count)
}

// deliverFlip shows the pending commit if it was due by then.
func (v *vblank) deliverFlip(count uint64) {
	if v.current != nil && v.current.started && passed(count, v.current.target) {
		v.finishFlip(v.at(v.current.target))
	}
}

// read returns the last vblank: EINVAL when the CRTC is off, or was never on.
func (v *vblank) read() (vblankTime, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.isOn {
		return v.last, v.isOff()
	}
	return v.now(), nil
}

func (v *vblank) isOff() error { return invalid("CRTC %d is off: it has no vblanks", v.crtc.id) }

// queue sends an event of size bytes to the file when the sequence is
// reached: at once when it has been. It returns the sequence at which the
// event comes.
func (v *vblank) queue(dev *drm.RegisteredDevice, f *drm.File, sequence uint64, size int, encode func(vblankTime) []byte) (uint64, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.isOn {
		return 0, v.isOff()
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

// sleepLimit is how long WAIT_VBLANK waits.
const sleepLimit = 3 * time.Second

// sleep waits until the sequence is reached, the CRTC is switched off or the
// device is unplugged, and returns the vblank at which that was. EBUSY after
// [sleepLimit], EINTR when the request is interrupted.
func (v *vblank) sleep(dev *drm.RegisteredDevice, req *drm.Request, sequence uint64) (vblankTime, error) {
	woken := make(chan vblankTime, 1)
	w := &waiter{sequence, nil, func(now vblankTime) { woken <- now }}
	if now, ok := v.enqueue(dev, w); !ok {
		return now, nil
	}
	expired := make(chan struct{})
	clock := v.m.config.Clock
	defer clock.At(clock.Now()+sleepLimit, func() { close(expired) })()

	var err error
	select {
	case now := <-woken:
		return now, nil
	case <-expired:
		err = refuse(unix.EBUSY, "no such vblank of CRTC %d within %v", v.crtc.id, sleepLimit)
	case <-req.Context().Done():
		if unplugged(req.Context()) {
			return <-woken, nil // Unplug wakes everybody, at once
		}
		err = unix.EINTR
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.waiters = slices.DeleteFunc(v.waiters, func(other *waiter) bool { return other == w })
	return v.now(), err
}

// enqueue adds w; false when there is nothing to wait for any more.
func (v *vblank) enqueue(dev *drm.RegisteredDevice, w *waiter) (vblankTime, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := v.now()
	if v.gone || !v.isOn || passed(now.count, w.sequence) {
		return now, false
	}
	v.waiters = append(v.waiters, w)
	v.arm(dev)
	return now, true
}
