package kms

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/uapi"
)

// waitVblank handles WAIT_VBLANK: it returns the vblank counter, waits for a
// vblank, or requests an event at one. The argument is a union: the signal of
// the request is in the place of the seconds of the reply.
func (m *ModeConfig) waitVblank(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.WaitVblankReply) error {
	const known = uapi.VblankTypesMask | uapi.VblankFlagsMask | uapi.VblankHighCRTCMask
	flags, signal := arg.Type, uint64(arg.TvalSec)
	if flags&uapi.VblankSignal != 0 || flags&^uint32(known) != 0 {
		return invalid("WAIT_VBLANK: unsupported type %#x", flags)
	}
	pipe := int(flags & uapi.VblankHighCRTCMask >> uapi.VblankHighCRTCShift)
	if pipe == 0 && flags&uapi.VblankSecondary != 0 {
		pipe = 1
	}
	crtcs := held(req.File, m.crtcs)
	if pipe >= len(crtcs) {
		return invalid("WAIT_VBLANK: no CRTC with index %d (there are %d)", pipe, len(crtcs))
	}
	c := crtcs[pipe]
	v := &c.vblank
	now, err := v.read()
	if err != nil {
		return err
	}

	var sequence uint64
	if flags&uapi.VblankRelative != 0 {
		sequence = now.count + uint64(arg.Sequence)
		arg.Type &^= uapi.VblankRelative
	} else {
		sequence = widen(arg.Sequence, now.count)
	}
	if flags&uapi.VblankNextOnMiss != 0 && passed(now.count, sequence) {
		sequence = now.count + 1
		arg.Type &^= uapi.VblankNextOnMiss
	}
	arg.Sequence = uint32(sequence)

	if flags&uapi.VblankEvent != 0 {
		sequence, err = v.queue(dev, req.File, sequence, vblankEventSize, func(now vblankTime) []byte {
			return vblankEvent(uapi.EventTypeVblank, signal, c.id, now)
		})
		if err == nil {
			arg.Sequence = uint32(sequence)
		}
		return err
	}
	if sequence != now.count {
		// If it is interrupted, the client repeats the request with what arg
		// says now: for the same vblank.
		if now, err = v.sleep(req.Context(), dev, sequence); errors.Is(err, unix.EINTR) {
			return err
		}
	}
	arg.Sequence = uint32(now.count)
	arg.TvalSec = int64(now.at / time.Second)
	arg.TvalUsec = int64(now.at % time.Second / time.Microsecond)
	return err
}

func (m *ModeConfig) crtcGetSequence(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.CRTCGetSequence) error {
	c, err := m.findCRTC(req.File, arg.CRTCID)
	if err != nil {
		return err
	}
	now, err := c.vblank.read()
	if err != nil {
		return err
	}
	arg.Active = uint32(boolValue(m.State().CRTC(c).Enable))
	arg.Sequence = now.count
	arg.SequenceNs = int64(now.at)
	return nil
}

func (m *ModeConfig) crtcQueueSequence(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.CRTCQueueSequence) error {
	c, err := m.findCRTC(req.File, arg.CRTCID)
	if err != nil {
		return err
	}
	if arg.Flags&^uint32(uapi.CRTCSequenceRelative|uapi.CRTCSequenceNextOnMiss) != 0 {
		return invalid("CRTC_QUEUE_SEQUENCE: unknown flags %#x", arg.Flags)
	}
	now, err := c.vblank.read()
	if err != nil {
		return err
	}
	sequence := arg.Sequence
	if arg.Flags&uapi.CRTCSequenceRelative != 0 {
		sequence += now.count
	}
	if arg.Flags&uapi.CRTCSequenceNextOnMiss != 0 && passed(now.count, sequence) {
		sequence = now.count + 1
	}
	userData := arg.UserData
	sequence, err = c.vblank.queue(dev, req.File, sequence, sequenceEventSize, func(now vblankTime) []byte {
		return sequenceEvent(userData, now)
	})
	if err != nil {
		return err
	}
	arg.Sequence = sequence
	return nil
}
