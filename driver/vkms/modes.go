package vkms

import (
	"github.com/udrm/udrm/drm/mode"
	"github.com/udrm/udrm/drm/uapi"
)

// preferredWidth and preferredHeight are the size of the preferred mode of a
// display without EDID.
const preferredWidth, preferredHeight = 1024, 768

// modes returns the modes of a display without EDID.
func modes(withPreferred bool) []mode.Mode {
	list := mode.WithoutEDID(MaxSize, MaxSize)
	for i := range list {
		if m := &list[i]; withPreferred && m.HDisplay == preferredWidth && m.VDisplay == preferredHeight {
			m.Type |= uapi.ModeTypePreferred
		}
	}
	return list
}
