package main

import "github.com/udrm/udrm/drm/mode"

// timing returns a mode as drm_info prints it.
func timing(width, height int, refresh float64, modeType uint32) map[string]any {
	m, err := mode.For(width, height, refresh)
	if err != nil {
		panic(err)
	}
	m.Type = modeType
	return map[string]any{
		"clock": m.Clock, "hdisplay": m.HDisplay, "hsync_start": m.HSyncStart, "hsync_end": m.HSyncEnd, "htotal": m.HTotal, "hskew": m.HSkew,
		"vdisplay": m.VDisplay, "vsync_start": m.VSyncStart, "vsync_end": m.VSyncEnd, "vtotal": m.VTotal, "vscan": m.VScan,
		"vrefresh": m.VRefresh(), "flags": m.Flags, "type": m.Type, "name": m.Name,
	}
}

const (
	typePreferred = 1 << 3
	typeDriver    = 1 << 6
)

// monitorModes are the modes of a monitor, the preferred one first.
func monitorModes(width, height int) []map[string]any {
	list := []map[string]any{timing(width, height, 60, typePreferred|typeDriver)}
	for _, size := range [][2]int{{1920, 1080}, {1280, 1024}, {1024, 768}, {800, 600}, {640, 480}} {
		if size[0] <= width && size[1] <= height && size != [2]int{width, height} {
			list = append(list, timing(size[0], size[1], 60, typeDriver))
		}
	}
	return list
}
