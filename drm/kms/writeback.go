package kms

import (
	"fmt"
	"slices"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/fence"
	"github.com/udrm/udrm/drm/fourcc"
	"github.com/udrm/udrm/drm/internal/compose"
	"github.com/udrm/udrm/drm/uapi"
)

// A writeback is the picture of one frame on its way into a framebuffer:
// struct drm_writeback_job. It is part of one commit, and not of the state.
type writeback struct {
	m      *ModeConfig
	fb     *Framebuffer // with a reference
	pixels []byte
	write  compose.Writer
	fence  *fence.Fence  // signalled when it is over; nil for none
	done   chan struct{} // closed when it is over
}

// A writebackRequest is what a commit asks of a writeback connector.
type writebackRequest struct {
	fb    *Framebuffer // held by the AtomicState; nil for none
	fbSet bool         // fb was set, to none perhaps
	out   *outFence    // it is to say when it is over; nil for none
}

// writeback returns what t asks of a writeback connector, to be changed.
func (a *AtomicState) writeback(c *Connector) *writebackRequest {
	if a.writebacks == nil {
		a.writebacks = make(map[int]*writebackRequest)
	}
	r := a.writebacks[c.index]
	if r == nil {
		r = new(writebackRequest)
		a.writebacks[c.index] = r
	}
	return r
}

// checkWritebacks is what drm_atomic_connector_check and vkms check: the
// picture has somewhere to come from, and fits.
func (a *AtomicState) checkWritebacks() error {
	for i, r := range a.writebacks {
		c, s := a.m.connectors[i], &a.new.connectors[i]
		switch {
		case r.fb == nil:
			continue
		case s.CRTC == nil:
			return invalid("connector %d has a framebuffer to be written, but no CRTC", c.id)
		}
		crtc := &a.new.crtcs[s.CRTC.index]
		switch w, h := crtc.Mode.Size(); {
		case !crtc.Active:
			return invalid("connector %d has a framebuffer to be written, but CRTC %d is off", c.id, s.CRTC.id)
		case r.fb.width != w || r.fb.height != h:
			return invalid("connector %d: framebuffer %d of %dx%d cannot hold the mode, %dx%d", c.id, r.fb.id, r.fb.width, r.fb.height, w, h)
		case !slices.Contains(c.config.WritebackFormats, r.fb.format.Code) || compose.WriterFor(r.fb.format.Code) == nil:
			return invalid("connector %d cannot write format %s", c.id, fourcc.String(r.fb.format.Code))
		case r.fb.modifier != uapi.FormatModLinear:
			return invalid("connector %d cannot write modifier %#x", c.id, r.fb.modifier)
		}
	}
	return nil
}

// startWritebacks makes what t asks for of the connectors of c. They are to be
// given to [vblank.startCommit]. The first error to find the memory is that of the
// writeback: the commit is under way.
func (a *AtomicState) startWritebacks(c *CRTC) (started []*writeback) {
	for i, r := range a.writebacks {
		if r.fb == nil || a.new.connectors[i].CRTC != c {
			continue
		}
		a.m.objects.get(r.fb)
		w := &writeback{m: a.m, fb: r.fb, write: compose.WriterFor(r.fb.format.Code), done: make(chan struct{})}
		if r.out != nil {
			w.fence = r.out.fence
		}
		pixels, err := r.fb.buffers[0].Pixels()
		if err != nil {
			w.complete(err)
			continue
		}
		w.pixels = pixels[r.fb.offsets[0]:]
		started = append(started, w)
	}
	return started
}

// newFence returns the next fence of the writebacks of c. The caller holds
// ModeConfig.mu.
func (c *Connector) newFence(dev *drm.RegisteredDevice) *fence.Fence {
	if c.fences == nil {
		c.fences = fence.NewContext(dev.Driver().Info.Name, fmt.Sprintf("CONNECTOR:%d-%s", c.id, c.Name()))
	}
	return c.fences.New()
}

// line writes a composed line.
func (w *writeback) line(y int, pixels []uint64) {
	w.write(w.pixels[y*int(w.fb.pitches[0]):], pixels)
}

// complete ends the writeback, once: with an error when the picture was not
// written, which only the fence tells.
func (w *writeback) complete(err error) {
	w.m.objects.put(w.fb)
	if w.fence != nil {
		w.fence.Signal(err)
	}
	close(w.done)
}
