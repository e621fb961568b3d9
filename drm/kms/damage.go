package kms

import (
	"encoding/binary"
	"fmt"
	"image"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/uapi"
)

// rectSize is the size of struct drm_mode_rect.
const rectSize = 16

// EnableFBDamageClips lets clients say which parts of a framebuffer have
// changed: FB_DAMAGE_CLIPS (drm_plane_enable_fb_damage_clips). The clips are
// part of one commit; see [PlaneState.Damage].
func (p *Plane) EnableFBDamageClips() { p.attachStandard(p.display.standard.fbDamageClips, 0) }

// Damage returns the parts of the framebuffer that the commit of the state has
// changed, in pixels. Without any, all of it may have changed. What lies beyond
// the framebuffer is cut off.
func (s *PlaneState) Damage() []image.Rectangle {
	if s.FB == nil {
		return nil
	}
	var clips []image.Rectangle
	for _, clip := range s.clips() {
		clips = append(clips, clip.Intersect(image.Rect(0, 0, int(s.FB.width), int(s.FB.height))))
	}
	return clips
}

// clips returns the clips as the client sent them.
func (s *PlaneState) clips() []image.Rectangle {
	if s.DamageClips == nil {
		return nil
	}
	var clips []image.Rectangle
	for data := s.DamageClips.data; len(data) >= rectSize; data = data[rectSize:] {
		corner := func(i int) int { return int(int32(binary.NativeEndian.Uint32(data[4*i:]))) }
		clips = append(clips, image.Rectangle{image.Pt(corner(0), corner(1)), image.Pt(corner(2), corner(3))})
	}
	return clips
}

// setDamage sets the blob of clips.
func (p *Plane) setDamage(s *PlaneState, blob *Blob) error {
	if blob != nil && len(blob.data)%rectSize != 0 {
		return invalid("FB_DAMAGE_CLIPS of plane %d: %d bytes are not whole rectangles", p.id, len(blob.data))
	}
	s.DamageClips = blob
	return nil
}

// checkDamage checks that the clips have pixels, begin in no negative place, and
// do not end too far beyond the framebuffer (drm_atomic_plane_check). The kernel
// compares them with its size in 1/65536 of a pixel.
func (s *PlaneState) checkDamage() error {
	bounds := image.Rect(0, 0, int(s.FB.width)<<16, int(s.FB.height)<<16)
	for _, clip := range s.clips() {
		if clip.Empty() || !clip.In(bounds) {
			return fmt.Errorf("damage %v: it must have pixels within framebuffer %d of %dx%d: %w", clip, s.FB.id, s.FB.width, s.FB.height, unix.EINVAL)
		}
	}
	return nil
}

// forgetDamage drops the clips of earlier commits, and those of CRTCs whose
// signal the change interrupts: there everything changes
// (drm_atomic_helper_check_plane_damage).
func (a *AtomicState) forgetDamage() {
	for p := range a.Planes() {
		if s := &a.new.planes[p.index]; s.CRTC != nil && a.NeedsModeset(s.CRTC) {
			s.DamageClips = nil
		}
	}
}

// clipSize is the size of struct drm_clip_rect.
const clipSize = 8

// dirtyFB says that a client has drawn into a framebuffer. Without
// [Limits.DirtyFB] it returns ENOSYS, as drivers do that scan out buffers
// directly. With it, the planes that show the framebuffer are committed again
// with the clips as damage (drm_atomic_helper_dirtyfb).
func (m *ModeConfig) dirtyFB(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.ModeFBDirtyCmd) error {
	fb, err := m.findFB(arg.FBID)
	if err != nil {
		return err
	}
	defer m.objects.put(fb)
	copies := arg.Flags&uapi.ModeFBDirtyAnnotateCopy != 0
	switch {
	case (arg.NumClips == 0) != (arg.ClipsPtr == 0):
		return invalid("DIRTYFB: %d clips at address %#x", arg.NumClips, arg.ClipsPtr)
	case copies && arg.NumClips%2 != 0:
		return invalid("DIRTYFB: copies need pairs of clips, got %d", arg.NumClips)
	case arg.NumClips > uapi.ModeFBDirtyMaxClips:
		return invalid("DIRTYFB: too many clips: %d (limit %d)", arg.NumClips, uapi.ModeFBDirtyMaxClips)
	}
	clips := make([]byte, arg.NumClips*clipSize)
	if arg.NumClips > 0 {
		if err := req.CopyFromUser(clips, arg.ClipsPtr); err != nil {
			return err
		}
	}
	if !m.config.Limits.DirtyFB {
		m.changes.announce()
		return refuse(unix.ENOSYS, "DIRTYFB: not needed, the display scans out buffers directly")
	}
	var damage *Blob
	if len(clips) > 0 {
		damage = m.newBlob(damageOf(clips, copies))
		defer m.objects.put(damage)
	}
	return m.commit(dev, commitOptions{ctx: req.Context()}, func(a *AtomicState) error {
		for _, p := range m.planes {
			if a.new.planes[p.index].FB == fb {
				a.plane(p).DamageClips = damage
			}
		}
		return nil
	})
}

// damageOf returns the content of FB_DAMAGE_CLIPS for the clips of a DIRTYFB.
// Of a pair for a copy, the first is the destination.
func damageOf(clips []byte, copies bool) (rects []byte) {
	step := clipSize
	if copies {
		step *= 2
	}
	for ; len(clips) >= step; clips = clips[step:] {
		for i := range 4 {
			rects = binary.NativeEndian.AppendUint32(rects, uint32(binary.NativeEndian.Uint16(clips[2*i:])))
		}
	}
	return rects
}
