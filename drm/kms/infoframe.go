package kms

import (
	"slices"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/mode"
	"github.com/udrm/udrm/drm/uapi"
)

// infoframeFiles returns the files that the kernel has for each connector of type
// HDMI, and for no other. They hold the infoframes that are sent to the monitor.
// vkms sends none, and Linux 7.2 has the files only for connectors that do.
func (c *Connector) infoframeFiles() (files []drm.DebugfsFile) {
	if t := c.config.Type; t != uapi.ModeConnectorHDMIA && t != uapi.ModeConnectorHDMIB || c.display.config.Kernel == drm.Linux72 {
		return nil
	}
	none := func(*State, *CRTCState) string { return "" }
	for _, frame := range []struct {
		name string
		show func(*State, *CRTCState) string
	}{{"audio", none}, {"avi", c.aviInfoframe}, {"hdmi", none}, {"hdr_drm", c.hdrInfoframe}, {"spd", none}} {
		files = append(files, drm.DebugfsFile{Path: c.Name() + "/infoframes/" + frame.name, Show: func() string {
			s := c.display.State()
			crtc := s.connector(c).CRTC
			if crtc == nil || !s.CRTC(crtc).Active || c.display.config.Kernel != "" {
				return ""
			}
			state := s.CRTC(crtc)
			return frame.show(s, &state)
		}})
	}
	return files
}

// The types of infoframes, and the version and size of those of video (CTA-861).
const (
	aviFrame, aviVersion, aviSize = 0x82, 2, 13
	hdrFrame, hdrVersion, hdrSize = 0x87, 1, 26
)

// infoframe packs an infoframe. Its bytes add up to 0.
func infoframe(kind, version byte, payload []byte) string {
	frame := append([]byte{kind, version, byte(len(payload)), 0}, payload...)
	var sum byte
	for _, b := range frame {
		sum += b
	}
	frame[3] = -sum
	return string(frame)
}

// Bits of the infoframe of video.
const (
	aviUnderscan     = 2
	aviActiveFormat  = 1 << 4
	aviSameAsPicture = 8
	aviITContent     = 1 << 7
)

// aviColors are the values of Colorspace as the fields C and EC.
var aviColors = map[uint64][2]byte{
	1: {1, 0}, 2: {2, 0}, 3: {3, 0}, 4: {3, 1}, 5: {3, 2}, 6: {3, 3}, 7: {3, 4}, 8: {3, 5}, 9: {3, 6}, 10: {3, 6}, 11: {3, 7}, 12: {3, 7},
}

// aviYCbCr420 is the value of the field Y of the infoframe for a signal in YCbCr
// 4:2:0. That of RGB is 0.
const aviYCbCr420 = 3

// needs420 reports whether the monitor shows the mode in YCbCr 4:2:0 only
// (drm_mode_is_420_only).
func (c *Connector) needs420(m *mode.Mode) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	monitor := c.plugged()
	same := func(other mode.Mode) bool { return other.SameTiming(m) }
	return slices.ContainsFunc(monitor.With420, same) && !slices.ContainsFunc(monitor.Modes, same)
}

// aviInfoframe describes the video signal in the mode of the CRTC: RGB, or YCbCr
// 4:2:0 for a mode that needs it (drm_hdmi_avi_infoframe_from_display_mode).
func (c *Connector) aviInfoframe(s *State, crtc *CRTCState) string {
	payload := make([]byte, aviSize)
	vic := videoCode(&crtc.Mode)
	var aspect byte
	if m, ok := mode.CTA(vic); ok && m.Flags&uapi.ModeFlagPicARMask <= uapi.ModeFlagPicAR16_9 {
		aspect = byte(m.Flags & uapi.ModeFlagPicARMask >> 19)
	}
	colors := aviColors[c.standardValue(s, "Colorspace")]
	payload[0] = aviActiveFormat | aviUnderscan
	payload[1] = colors[0]<<6 | aspect<<4 | aviSameAsPicture
	payload[2] = colors[1] << 4
	switch broadcast := c.standardValue(s, "Broadcast RGB"); {
	case c.needs420(&crtc.Mode):
		payload[0] |= aviYCbCr420 << 5
	case broadcast == 1: // Full
		payload[2] |= 2 << 2
	case broadcast == 2: // Limited
		payload[2] |= 1 << 2
	}
	payload[3] = vic
	if content := c.standardValue(s, "content type"); content > 0 {
		payload[2] |= aviITContent
		payload[4] = byte(content-1) << 4
	}
	if crtc.Mode.Flags&uapi.ModeFlagDblclk != 0 {
		payload[4] |= 1
	}
	return infoframe(aviFrame, aviVersion, payload)
}

// videoCode returns the code of the mode in CTA-861, or 0.
func videoCode(m *mode.Mode) uint8 {
	aspect := m.Flags & uapi.ModeFlagPicARMask
	for vic := range uint8(220) {
		known, ok := mode.CTA(vic)
		if !ok || aspect != 0 && aspect != known.Flags&uapi.ModeFlagPicARMask {
			continue
		}
		known.Flags = known.Flags&^uapi.ModeFlagPicARMask | aspect
		if m.SameTiming(&known) {
			return vic
		}
	}
	return 0
}

// hdrInfoframe describes the mastering display of HDR content: what the client has
// set HDR_OUTPUT_METADATA to, without its type in front and the padding.
func (c *Connector) hdrInfoframe(s *State, _ *CRTCState) string {
	p := c.StandardProperty("HDR_OUTPUT_METADATA")
	if p == nil {
		return ""
	}
	blob := s.PropertyBlob(c, p)
	if blob == nil {
		return ""
	}
	return infoframe(hdrFrame, hdrVersion, blob.data[4:][:hdrSize])
}
