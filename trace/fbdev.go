package trace

import "github.com/udrm/udrm/drm/uapi"

// requestName returns the name of a request, or "".
func requestName(cmd uint32) string {
	if name := fbdevNames[cmd]; name != "" {
		return name
	}
	return uapi.IoctlName(cmd)
}

// fbdevNames are the requests of linux/fb.h. They do not belong to DRM, and their
// arguments are not recorded.
var fbdevNames = map[uint32]string{
	0x4600:     "FBIOGET_VSCREENINFO",
	0x4601:     "FBIOPUT_VSCREENINFO",
	0x4602:     "FBIOGET_FSCREENINFO",
	0x4604:     "FBIOGETCMAP",
	0x4605:     "FBIOPUTCMAP",
	0x4606:     "FBIOPAN_DISPLAY",
	0xc0684608: "FBIO_CURSOR",
	0x460f:     "FBIOGET_CON2FBMAP",
	0x4610:     "FBIOPUT_CON2FBMAP",
	0x4611:     "FBIOBLANK",
	0x80204612: "FBIOGET_VBLANK",
	0x40044620: "FBIO_WAITFORVSYNC",
}
