package machine

import (
	"cmp"
	"fmt"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/edid"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
)

// A State says whether programs can use a card.
type State string

// The states of a card.
const (
	Plugged    State = "plugged"    // bound to its driver: programs can open it
	Unbound    State = "unbound"    // on the bus, without a driver
	Unbinding  State = "unbinding"  // its driver waits for requests in flight
	Unplugged  State = "unplugged"  // not on the bus
	Unplugging State = "unplugging" // pulled out, with requests in flight
)

// State returns the state of the card.
func (c *Card) State() State {
	dev := c.bus.Device(c.device)
	switch {
	case dev == nil:
		return Unplugged
	case dev.Removed():
		return Unplugging
	case dev.Driver() == "":
		return Unbound
	}
	if device := c.Device(); device != nil && device.State() > drm.Live {
		return Unbinding
	}
	return Plugged
}

// A ConnectorInfo describes a connector as it is now.
type ConnectorInfo struct {
	Name      string // such as "DP-1"
	Connected bool   // a monitor is plugged in
	Monitor   string // the name of that monitor in its EDID, or ""
	CRTC      *CRTCInfo
}

// A CRTCInfo describes what a CRTC shows on a connector. A connector that shows
// nothing, or whose card programs cannot open, has no CRTCInfo.
type CRTCInfo struct {
	Index  int    // among the CRTCs of the card
	Mode   string // such as "1920x1080@60"
	Frames uint64 // see [Card.Frames]
}

// ConnectorInfos describes the connectors of the card, without those of
// writebacks. A card without a display has none.
func (c *Card) ConnectorInfos() (list []ConnectorInfo) {
	display, dev, err := c.display()
	if err != nil {
		return nil
	}
	state := display.State()
	for _, connector := range plugs(display) {
		connection, monitor := connector.Plugged()
		info := ConnectorInfo{Name: connector.Name(), Connected: connection != uapi.ModeDisconnected}
		if info.Connected {
			info.Monitor = monitorName(monitor)
		}
		if crtc := state.Connector(connector).CRTC; crtc != nil && state.CRTC(crtc).Active && dev.State() == drm.Live {
			mode := state.CRTC(crtc).Mode
			info.CRTC = &CRTCInfo{
				Index: crtc.Index(), Frames: crtc.Frames(),
				Mode: fmt.Sprintf("%dx%d@%d", mode.HDisplay, mode.VDisplay, mode.VRefresh()),
			}
		}
		list = append(list, info)
	}
	return list
}

// monitorName returns the name of a monitor in its EDID, or "" if it has none.
func monitorName(monitor *kms.Monitor) string {
	if monitor == nil {
		return ""
	}
	content, err := edid.Parse(monitor.EDID)
	if err != nil {
		return ""
	}
	return cmp.Or(content.Name, content.Manufacturer)
}
