package kms

import "github.com/udrm/udrm/drm"

// A capture has the frames of a CRTC composed for CRCs and writebacks. Nothing
// is composed unless there is one of them. Its fields are guarded by vblank.mu,
// except composer.
type capture struct {
	m    *ModeConfig
	crtc *CRTC

	crc        *CRCStream    // the open stream, or nil
	writebacks []*writeback  // to be filled with the next frame
	last       capturedFrame // the last frame that crc wanted
	composer   composer
}

// A capturedFrame is a frame for which a CRC was wanted.
type capturedFrame struct {
	state *State
	crc   *CRCStream
	count uint64
}

// wanted reports whether the next frame must be composed.
func (c *capture) wanted() bool { return c.crc != nil || len(c.writebacks) > 0 }

// vblank has the frame composed that the vblank now shows, if it is wanted. The
// caller holds vblank.mu, so that the frame is not that of a later commit.
// shown is the vblank that showed the commit under way, or 0.
func (c *capture) vblank(now vblankTime, shown uint64) { c.frame(now, shown, c.crc) }

// finish has the last frame composed for the writebacks that wait, because the
// CRTC is switched off or the device is unplugged at now.
func (c *capture) finish(now vblankTime) {
	c.frame(now, 0, nil)
	c.last = capturedFrame{}
}

func (c *capture) frame(now vblankTime, shown uint64, crc *CRCStream) {
	if crc == nil && len(c.writebacks) == 0 {
		return
	}
	writebacks := c.writebacks
	c.writebacks = nil
	s, state, err := c.m.composition(c.crtc)
	if err != nil {
		for _, w := range writebacks {
			w.complete(err)
		}
		return
	}
	f := &frame{
		state: state, composition: s, first: now.count, last: now.count,
		crc: crc, writebacks: writebacks, done: make(chan struct{}),
	}
	if crc != nil {
		f.depth = c.m.signalDepth(c.crtc, state)
		f.first = c.since(state, now, shown)
		c.last = capturedFrame{state, crc, now.count}
	}
	c.composer.add(f)
}

// since returns the first of the vblanks up to now that showed the state. It is
// earlier than now if the timer is late, as on a loaded machine.
func (c *capture) since(state *State, now vblankTime, shown uint64) uint64 {
	first := now.count
	switch {
	case c.last.crc != c.crc:
	case c.last.state == state:
		first = c.last.count + 1
	case shown != 0:
		first = shown
	}
	return min(first, now.count)
}

// drop completes writebacks whose frame will never be shown.
func drop(writebacks []*writeback) {
	for _, w := range writebacks {
		w.complete(drm.ErrUnplugged)
	}
}
