package vkms

import (
	"fmt"

	"github.com/udrm/udrm/drm"
)

// DebugfsFiles implements [drm.DebugfsPart].
func (d *Driver) DebugfsFiles(*drm.Device) []drm.DebugfsFile {
	return []drm.DebugfsFile{{Path: "vkms_config", Show: d.showConfig}}
}

func (d *Driver) showConfig() string {
	flag := func(b bool) int {
		if b {
			return 1
		}
		return 0
	}
	return fmt.Sprintf("writeback=%d\ncursor=%d\noverlay=%d\n", flag(d.config.Writeback), flag(d.config.Cursor), flag(d.config.Overlay))
}
