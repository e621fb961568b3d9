package kms

import (
	"fmt"
	"strings"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/fourcc"
	"github.com/udrm/udrm/drm/mode"
	"github.com/udrm/udrm/drm/uapi"
)

// DebugfsFiles implements [drm.DebugfsPart].
func (m *ModeConfig) DebugfsFiles(dev *drm.Device) []drm.DebugfsFile {
	files := []drm.DebugfsFile{
		{Path: "framebuffer", Show: m.showFramebuffers},
		{Path: "internal_clients", Show: m.showInternalClients},
		{Path: "state", Show: func() string { return m.showState(dev.Class()) }},
	}
	for _, c := range m.crtcs {
		files = append(files, c.crcFiles(dev)...)
	}
	for _, e := range m.allEncoders() {
		files = append(files, drm.DebugfsFile{
			Path: fmt.Sprintf("encoder-%d/bridges", e.index), Show: func() string { return "" },
		})
	}
	for _, c := range m.Connectors() {
		files = append(files, c.debugfsFiles()...)
	}
	return files
}

// debugfsFiles returns the files that the kernel has for each connector.
func (c *Connector) debugfsFiles() []drm.DebugfsFile {
	files := []drm.DebugfsFile{
		{Path: c.Name() + "/edid_override", Show: c.showOverride, Store: c.storeOverride},
		{Path: c.Name() + "/force", Show: c.showForce, Store: c.storeForce},
		{Path: c.Name() + "/output_bpc", Show: c.showBPC},
	}
	if c.display.config.Kernel == drm.Linux72 || c.vrrCapable != nil {
		files = append(files, drm.DebugfsFile{Path: c.Name() + "/vrr_range", Show: c.showVRRRange})
	}
	return append(files, c.infoframeFiles()...)
}

// showBPC returns how many bits per component the monitor shows, or 0.
func (c *Connector) showBPC() string { return fmt.Sprintf("Maximum: %d\n", c.lastProbe().bpc) }

// showVRRRange returns the limits of a variable refresh rate, or zeros.
func (c *Connector) showVRRRange() string {
	refresh := c.lastProbe().refresh
	return fmt.Sprintf("Min: %d\nMax: %d\n", refresh[0], refresh[1])
}

// showState returns what drm_state_info prints.
//
// Some lines are constants, so this is no complete dump: color_mgmt_changed,
// mode_changed, active_changed, connectors_changed, self_refresh_active and
// self_refresh_aware. The first four matter only during a commit in the kernel
// too. planes_changed says that the CRTC has planes. The file bridges is a
// constant.
func (m *ModeConfig) showState(class *drm.Class) string {
	m.freeze(class) // in case no node has been opened yet
	s := m.State()
	newer := m.config.Kernel == drm.Linux72
	var out strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&out, format+"\n", args...) }
	for i, p := range m.planes {
		if p.id == 0 {
			continue // a hardware cursor
		}
		line("plane[%d]: plane-%d", p.id, i)
		ps := &s.planes[i]
		line("\tcrtc=%s", crtcName(ps.CRTC))
		if ps.FB == nil {
			line("\tfb=0")
		} else {
			line("\tfb=%d", ps.FB.id)
			out.WriteString(m.framebufferInfo(ps.FB, "\t\t"))
		}
		line("\tcrtc-pos=%dx%d%+d%+d", ps.CRTCW, ps.CRTCH, ps.CRTCX, ps.CRTCY)
		line("\tsrc-pos=%sx%s+%s+%s", fixedPoint(ps.SrcW), fixedPoint(ps.SrcH), fixedPoint(ps.SrcX), fixedPoint(ps.SrcY))
		line("\trotation=%x", ps.Rotation)
		line("\tnormalized-zpos=%x", ps.NormalizedZpos)
		line("\tcolor-encoding=%s", standardValues["COLOR_ENCODING"][ps.ColorEncoding])
		line("\tcolor-range=%s", standardValues["COLOR_RANGE"][ps.ColorRange])
		line("\tcolor_mgmt_changed=0")
		if newer {
			line("\tcolor-pipeline=%d", p.pipelineID(s))
		}
	}
	for i, c := range m.crtcs {
		cs := &s.crtcs[i]
		var planes, connectors, encoders uint32
		for j := range s.planes {
			planes |= flag(s.planes[j].CRTC == c) << j
		}
		for j := range s.connectors {
			connectors |= flag(s.connectors[j].CRTC == c) << j
			if e := s.connectors[j].BestEncoder; e != nil && s.connectors[j].CRTC == c {
				encoders |= 1 << e.index
			}
		}
		line("crtc[%d]: crtc-%d", c.id, i)
		line("\tenable=%d", flag(cs.Enable))
		line("\tactive=%d", flag(cs.Active))
		line("\tself_refresh_active=0")
		line("\tplanes_changed=%d", flag(planes != 0))
		line("\tmode_changed=0")
		line("\tactive_changed=0")
		line("\tconnectors_changed=0")
		line("\tcolor_mgmt_changed=0")
		line("\tplane_mask=%x", planes)
		line("\tconnector_mask=%x", connectors)
		line("\tencoder_mask=%x", encoders)
		line("\tmode: %s", debugMode(&cs.Mode))
		if newer {
			line("\tbackground_color=%x", cs.BackgroundColor)
		}
	}
	for _, c := range m.Connectors() {
		line("connector[%d]: %s", c.id, c.Name())
		line("\tcrtc=%s", crtcName(s.connector(c).CRTC))
		line("\tself_refresh_aware=0")
		if newer {
			line("\tinterlace_allowed=%d", flag(c.config.ModeFlags&uapi.ModeFlagInterlace != 0))
			line("\tycbcr_420_allowed=%d", flag(c.config.YCbCr420))
		}
		line("\tmax_requested_bpc=%d", c.standardValue(s, "max bpc"))
		line("\tcolorspace=%s", standardValues["Colorspace"][c.standardValue(s, "Colorspace")])
	}
	return out.String()
}

// standardValue returns the value of a standard property, or 0 without it.
func (c *Connector) standardValue(s *State, name string) uint64 {
	if p := c.StandardProperty(name); p != nil {
		return s.Property(c, p)
	}
	return 0
}

func crtcName(c *CRTC) string {
	if c == nil {
		return "(null)"
	}
	return fmt.Sprintf("crtc-%d", c.index)
}

// fixedPoint formats a number in 1/65536 with six decimals, rounded down.
func fixedPoint(v uint32) string { return fmt.Sprintf("%d.%06d", v>>16, uint64(v&0xffff)*1000000>>16) }

func flag(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}

// debugMode formats a mode as the kernel's reports do (DRM_MODE_FMT).
func debugMode(m *mode.Mode) string {
	return fmt.Sprintf("%q: %d %d %d %d %d %d %d %d %d %d 0x%x 0x%x", m.Name, m.VRefresh(), m.Clock,
		m.HDisplay, m.HSyncStart, m.HSyncEnd, m.HTotal, m.VDisplay, m.VSyncStart, m.VSyncEnd, m.VTotal, m.Type, m.Flags)
}

// showFramebuffers returns what drm_framebuffer_info prints.
func (m *ModeConfig) showFramebuffers() string {
	var out strings.Builder
	for _, fb := range m.objects.framebuffers() {
		fmt.Fprintf(&out, "framebuffer[%d]:\n%s", fb.id, m.framebufferInfo(fb, "\t"))
		m.objects.put(fb)
	}
	return out.String()
}

// framebuffers returns all framebuffers in order of id, each with a reference
// for the caller.
func (t *objectTable) framebuffers() []*Framebuffer {
	t.mu.Lock()
	defer t.mu.Unlock()
	var fbs []*Framebuffer
	for _, o := range t.objects.All() {
		if fb, ok := o.(*Framebuffer); ok {
			fb.refs++
			fbs = append(fbs, fb)
		}
	}
	return fbs
}

// framebufferInfo returns what drm_framebuffer_print_info prints.
func (m *ModeConfig) framebufferInfo(fb *Framebuffer, indent string) string {
	m.objects.mu.Lock()
	refs := fb.refs
	m.objects.mu.Unlock()
	var out strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&out, indent+format+"\n", args...) }
	line("allocated by = %s", fb.comm)
	line("refcount=%d", refs)
	line("format=%s little-endian (0x%08x)", fourcc.String(fb.format.Code), fb.format.Code)
	line("modifier=0x%x", fb.modifier)
	line("size=%dx%d", fb.width, fb.height)
	line("layers:")
	for i := range fb.format.Planes {
		w, h := fb.format.PlaneSize(i, fb.width, fb.height)
		line("\tsize[%d]=%dx%d", i, w, h)
		line("\tpitch[%d]=%d", i, fb.pitches[i])
		line("\toffset[%d]=%d", i, fb.offsets[i])
		line("\tobj[%d]:", i)
		out.WriteString(fb.buffers[i].Info(indent + "\t\t"))
	}
	return out.String()
}
