package vkms

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/uapi"
)

func (d *Driver) debugfsFiles(*drm.Device) []drm.DebugfsFile {
	return []drm.DebugfsFile{{Path: "vkms_config", Show: d.showConfig}}
}

// showConfig returns what the kernel shows: the objects. Linux 6.12 has only the
// default device, and shows its module parameters.
func (d *Driver) showConfig() string {
	flag := func(b bool) int {
		if b {
			return 1
		}
		return 0
	}
	t := d.config.topology()
	if d.config.Topology == nil && d.config.old() {
		return fmt.Sprintf("writeback=%d\ncursor=%d\noverlay=%d\n", flag(d.config.Writeback), flag(d.config.Cursor), flag(d.config.Overlay))
	}
	var out strings.Builder
	fmt.Fprintf(&out, "dev_name=%s\n", d.Device().Unique())
	for _, p := range t.Planes {
		fmt.Fprintf(&out, "plane:\n\ttype=%d\n", p.Type)
	}
	for _, c := range t.CRTCs {
		fmt.Fprintf(&out, "crtc:\n\twriteback=%d\n", flag(c.Writeback))
	}
	for range t.Encoders {
		out.WriteString("encoder\n")
	}
	for _, c := range t.Connectors {
		fmt.Fprintf(&out, "connector:\n\tstatus=%d\n", cmp.Or(c.Status, uapi.ModeConnected))
	}
	return out.String()
}
