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

// A writeback writes the picture of one frame into a framebuffer (struct
// drm_writeback_job). It is part of one commit, not of the state.
type writeback struct {
	m      *ModeConfig
	fb     *Framebuffer // with a reference
	pixels []byte
	write  compose.Writer
	fence  *fence.Fence  // signalled at completion; or nil
	done   chan struct{} // closed at completion
}

// A writebackRequest is what a commit requests from a writeback connector.
type writebackRequest struct {
	fb    *Framebuffer // held by the AtomicState; or nil
	fbSet bool         // the client has set fb, perhaps to 0
	out   *outFence    // signalled at completion; or nil
}

// writeback returns the request of a to a writeback connector, to be filled in.
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

// checkWritebacks checks that the picture of each writeback has a source and
// fits (drm_atomic_connector_check, vkms_wb_atomic_check).
func (a *AtomicState) checkWritebacks() error {
	for i, r := range a.writebacks {
		c, s := a.m.connectorAt(i), &a.new.connectors[i]
		switch {
		case r.fb == nil:
			continue
		case s.CRTC == nil:
			return invalid("connector %d: writeback without a CRTC", c.id)
		}
		crtc := &a.new.crtcs[s.CRTC.index]
		switch w, h := crtc.Mode.Size(); {
		case !crtc.Active:
			return invalid("connector %d: writeback, but CRTC %d is off", c.id, s.CRTC.id)
		case r.fb.width != w || r.fb.height != h:
			return invalid("connector %d: framebuffer %d has %dx%d pixels, the mode has %dx%d", c.id, r.fb.id, r.fb.width, r.fb.height, w, h)
		case !slices.Contains(c.config.WritebackFormats, r.fb.format.Code) || compose.WriterFor(r.fb.format.Code) == nil:
			return invalid("connector %d cannot write format %s", c.id, fourcc.String(r.fb.format.Code))
		case r.fb.modifier != uapi.FormatModLinear:
			return invalid("connector %d cannot write modifier %#x", c.id, r.fb.modifier)
		}
	}
	return nil
}

// startWritebacks returns the writebacks that a requests from the connectors of
// c, for [vblank.startCommit]. If the memory cannot be accessed, the writeback
// fails but the commit does not.
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

// complete completes the writeback. An error means that the picture was not
// written; only the fence reports it. complete is called once.
func (w *writeback) complete(err error) {
	w.m.objects.put(w.fb)
	if w.fence != nil {
		w.fence.Signal(err)
	}
	close(w.done)
}
