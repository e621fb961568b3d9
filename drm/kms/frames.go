package kms

import "sync"

// changes wakes those who wait for a change of the picture. Its zero value is
// ready for use. Its mutex is a leaf: no other lock is taken inside it.
type changes struct {
	mu   sync.Mutex
	next chan struct{} // closed at the next change; nil if no one waits
}

func (c *changes) wait() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next == nil {
		c.next = make(chan struct{})
	}
	return c.next
}

func (c *changes) announce() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next != nil {
		close(c.next)
		c.next = nil
	}
}

// Changed returns a channel that is closed at the next change of what the
// device shows: a CRTC shows another frame, a cursor moves, a client marks a
// framebuffer as dirty, a CRTC is switched on or off, or the device is
// unplugged. Drawing into a framebuffer that is being shown is no such change.
func (m *ModeConfig) Changed() <-chan struct{} { return m.changes.wait() }

// Frames returns the number of frames that the CRTC has shown: the commits that
// a vblank has put on the screen, including modesets.
func (c *CRTC) Frames() uint64 {
	c.vblank.mu.Lock()
	defer c.vblank.mu.Unlock()
	return c.vblank.frames
}
