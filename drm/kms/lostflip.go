package kms

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
)

// flipLimit is the time after which a commit that is never shown is given up, as
// by the kernel's drm_atomic_helper_wait_for_flip_done.
const flipLimit = 10 * time.Second

// show completes the commit under way, whose vblank has come at now, unless a
// tracer wants it never to complete: as on hardware that loses the interrupt.
// Such a commit keeps its CRTC busy until flipLimit has passed, the CRTC is
// switched off or the device is unplugged. Its event is not sent. The caller
// holds mu.
func (v *vblank) show(now vblankTime) {
	c := v.current
	if c.lost {
		return
	}
	flip := drm.TraceEvent{Kind: drm.EventFlip, CRTC: v.crtc.id, Sequence: now.count, Copies: 1}
	if c.device.Tracepoint(flip).Copies > 0 {
		v.finishCommit(now)
		return
	}
	c.lost = true
	v.finishAt(v.m.config.Clock.Now()+flipLimit, c)
}

// notShown is the error of such a commit, which its fence has.
func (c *crtcCommit) notShown() error {
	return refuse(unix.ETIMEDOUT, "a commit to CRTC %d was not shown", c.crtc.id)
}
