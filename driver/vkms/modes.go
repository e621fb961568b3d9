package vkms

import (
	"fmt"

	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
)

const (
	pHSync = uapi.ModeFlagPHSync
	nHSync = uapi.ModeFlagNHSync
	pVSync = uapi.ModeFlagPVSync
	nVSync = uapi.ModeFlagNVSync
)

// A timing is a line of VESA's table of display monitor timings, or one of
// CTA-861: the clock in kHz; display, start and end of sync, and total of a
// line in pixels, and of a frame in lines; polarities.
type timing struct {
	clock                                  uint32
	hDisplay, hSyncStart, hSyncEnd, hTotal uint16
	vDisplay, vSyncStart, vSyncEnd, vTotal uint16
	flags                                  uint32
}

// timings are those of about 60 Hz: what a display without EDID is taken to be
// able to show, up to 8192 pixels.
var timings = []timing{
	{25175, 640, 656, 752, 800, 480, 490, 492, 525, nHSync | nVSync},
	{33750, 848, 864, 976, 1088, 480, 486, 494, 517, pHSync | pVSync},
	{40000, 800, 840, 968, 1056, 600, 601, 605, 628, pHSync | pVSync},
	{36000, 800, 824, 896, 1024, 600, 601, 603, 625, pHSync | pVSync},
	{65000, 1024, 1048, 1184, 1344, 768, 771, 777, 806, nHSync | nVSync},
	{74250, 1280, 1390, 1430, 1650, 720, 725, 730, 750, pHSync | pVSync},
	{79500, 1280, 1344, 1472, 1664, 768, 771, 778, 798, nHSync | pVSync},
	{68250, 1280, 1328, 1360, 1440, 768, 771, 778, 790, pHSync | nVSync},
	{83500, 1280, 1352, 1480, 1680, 800, 803, 809, 831, nHSync | pVSync},
	{71000, 1280, 1328, 1360, 1440, 800, 803, 809, 823, pHSync | nVSync},
	{85500, 1360, 1424, 1536, 1792, 768, 771, 777, 795, pHSync | pVSync},
	{85500, 1366, 1436, 1579, 1792, 768, 771, 774, 798, pHSync | pVSync},
	{72000, 1366, 1380, 1436, 1500, 768, 769, 772, 800, pHSync | pVSync},
	{108000, 1280, 1376, 1488, 1800, 960, 961, 964, 1000, pHSync | pVSync},
	{106500, 1440, 1520, 1672, 1904, 900, 903, 909, 934, nHSync | pVSync},
	{88750, 1440, 1488, 1520, 1600, 900, 903, 909, 926, pHSync | nVSync},
	{108000, 1280, 1328, 1440, 1688, 1024, 1025, 1028, 1066, pHSync | pVSync},
	{108000, 1600, 1624, 1704, 1800, 900, 901, 904, 1000, pHSync | pVSync},
	{121750, 1400, 1488, 1632, 1864, 1050, 1053, 1057, 1089, nHSync | pVSync},
	{101000, 1400, 1448, 1480, 1560, 1050, 1053, 1057, 1080, pHSync | nVSync},
	{146250, 1680, 1784, 1960, 2240, 1050, 1053, 1059, 1089, nHSync | pVSync},
	{119000, 1680, 1728, 1760, 1840, 1050, 1053, 1059, 1080, pHSync | nVSync},
	{162000, 1600, 1664, 1856, 2160, 1200, 1201, 1204, 1250, pHSync | pVSync},
	{148500, 1920, 2008, 2052, 2200, 1080, 1084, 1089, 1125, nHSync | nVSync},
	{193250, 1920, 2056, 2256, 2592, 1200, 1203, 1209, 1245, nHSync | pVSync},
	{154000, 1920, 1968, 2000, 2080, 1200, 1203, 1209, 1235, pHSync | nVSync},
	{162000, 2048, 2074, 2154, 2250, 1152, 1153, 1156, 1200, pHSync | pVSync},
	{204750, 1792, 1920, 2120, 2448, 1344, 1345, 1348, 1394, nHSync | pVSync},
	{218250, 1856, 1952, 2176, 2528, 1392, 1393, 1396, 1439, nHSync | pVSync},
	{234000, 1920, 2048, 2256, 2600, 1440, 1441, 1444, 1500, nHSync | pVSync},
	{348500, 2560, 2752, 3032, 3504, 1600, 1603, 1609, 1658, nHSync | pVSync},
	{268500, 2560, 2608, 2640, 2720, 1600, 1603, 1609, 1646, pHSync | nVSync},
	{556744, 4096, 4104, 4136, 4176, 2160, 2208, 2216, 2222, pHSync | nVSync},
	{556188, 4096, 4104, 4136, 4176, 2160, 2208, 2216, 2222, pHSync | nVSync},
}

// preferred is the mode of a display that says nothing better.
const preferredWidth, preferredHeight = 1024, 768

// modes are the timings as modes of a connector.
func modes(withPreferred bool) []kms.Mode {
	list := make([]kms.Mode, 0, len(timings))
	for _, t := range timings {
		m := kms.Mode{
			Name:     fmt.Sprintf("%dx%d", t.hDisplay, t.vDisplay),
			Clock:    t.clock,
			HDisplay: t.hDisplay, HSyncStart: t.hSyncStart, HSyncEnd: t.hSyncEnd, HTotal: t.hTotal,
			VDisplay: t.vDisplay, VSyncStart: t.vSyncStart, VSyncEnd: t.vSyncEnd, VTotal: t.vTotal,
			Flags: t.flags,
			Type:  uapi.ModeTypeDriver,
		}
		if withPreferred && t.hDisplay == preferredWidth && t.vDisplay == preferredHeight {
			m.Type |= uapi.ModeTypePreferred
		}
		list = append(list, m)
	}
	return list
}
