package vkms

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/kms"
)

// hardware programs the registers of a display. Its fields are constant; all
// state is in the registers.
type hardware struct{ pipes []pipe } // by the index of the CRTC

// A pipe is a CRTC with the planes of the legacy requests.
type pipe struct {
	crtc            *kms.CRTC
	primary, cursor *kms.Plane // cursor may be nil
}

// lutEntrySize is the size of struct drm_color_lut.
const lutEntrySize = 8

// driver returns the functions that package kms calls.
func (h *hardware) driver() kms.Driver {
	return kms.Driver{
		Check: h.check, Commit: h.commit,
		EnableVblank: h.enableVblank, DisableVblank: h.disableVblank, Vblank: h.vblank,
	}
}

// check refuses gamma tables that are too long.
func (h *hardware) check(a *kms.AtomicState) error {
	for c := range a.CRTCs() {
		lut := a.New().CRTC(c).GammaLUT
		if lut != nil && len(lut.Data()) > gammaSize*lutEntrySize {
			return fmt.Errorf("vkms: a gamma table of %d bytes, the limit is %d entries: %w", len(lut.Data()), gammaSize, unix.EINVAL)
		}
	}
	return nil
}

// commit writes the new state to the registers.
func (h *hardware) commit(dev *drm.RegisteredDevice, old, new *kms.State) error {
	registersOf(dev).access(dev, func(v registerView) {
		for i := range h.pipes {
			p := &h.pipes[i]
			crtc := new.CRTC(p.crtc)
			v.write(regScanout.of(i), fbID(new, p.primary))
			if p.cursor != nil {
				v.write(regCursor.of(i), fbID(new, p.cursor))
			}
			v.write(regSize.of(i), uint64(crtc.Mode.HDisplay)<<32|uint64(crtc.Mode.VDisplay))
			v.write(regClock.of(i), uint64(crtc.Mode.Clock))
			v.write(regActive.of(i), bit(crtc.Active))
		}
		v.write(regCommits, v.read(regCommits)+1)
	})
	return nil
}

func fbID(s *kms.State, p *kms.Plane) uint64 {
	if fb := s.Plane(p).FB; fb != nil {
		return uint64(fb.ID())
	}
	return 0
}

func bit(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

func (h *hardware) enableVblank(dev *drm.RegisteredDevice, c *kms.CRTC) {
	registersOf(dev).access(dev, func(v registerView) { v.write(regVblankIRQ.of(c.Index()), 1) })
}

func (h *hardware) disableVblank(dev *drm.RegisteredDevice, c *kms.CRTC) {
	registersOf(dev).access(dev, func(v registerView) { v.write(regVblankIRQ.of(c.Index()), 0) })
}

func (h *hardware) vblank(dev *drm.RegisteredDevice, c *kms.CRTC, count uint64) {
	registersOf(dev).access(dev, func(v registerView) { v.write(regVblank.of(c.Index()), count) })
}
