package kms

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/mode"
	"github.com/udrm/udrm/drm/uapi"
)

// A Monitor is a display as it answers a probe of the connector that it is
// plugged into. It must not be changed once it is used.
type Monitor struct {
	Modes             []mode.Mode // in any order
	EDID              []byte      // nil when it has none
	WidthMM, HeightMM uint32      // of the picture; 0 when it is unknown
}

// A sight is what a probe of a connector saw. Its zero value is that nobody
// has looked.
type sight struct {
	connection        uint32      // uapi.ModeConnected and so on; 0 before the first probe
	modes             []mode.Mode // in the order of clients
	edid              *Blob       // nil when there is none
	widthMM, heightMM uint32
}

// probe looks at what is plugged in (drm_helper_probe_single_connector_modes).
// Clients see what the last probe saw.
func (c *Connector) probe() {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := sight{connection: c.forced.connection(c.connection), edid: c.seen.edid}
	var edid []byte
	if m := cmp.Or(c.override, c.monitor); m != nil && now.connection != uapi.ModeDisconnected {
		now.modes = c.display.usableModes(m.Modes)
		now.widthMM, now.heightMM = m.WidthMM, m.HeightMM
		edid = m.EDID
	}
	if !sameEDID(now.edid, edid) {
		if edid != nil {
			now.edid = c.display.newBlob(edid)
		} else {
			now.edid = nil
		}
		if old := c.seen.edid; old != nil {
			c.display.objects.put(old)
		}
	}
	c.seen = now
}

// look returns what the last probe saw.
func (c *Connector) look() sight {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.seen
	s.connection = cmp.Or(s.connection, uapi.ModeUnknownConnection)
	return s
}

// Hotplug says that what is plugged into the connector has changed: to the
// connection, uapi.ModeConnected and so on, and the monitor, which counts
// unless the connection is uapi.ModeDisconnected. Clients hear of it by a
// uevent of their card with HOTPLUG=1 and the CONNECTOR
// (drm_kms_helper_connector_hotplug_event), and find it probed by then. What
// is shown stays as it is: it is theirs to change.
func (c *Connector) Hotplug(dev *drm.RegisteredDevice, connection uint32, monitor *Monitor) {
	c.mu.Lock()
	c.connection, c.monitor = connection, monitor
	c.mu.Unlock()
	c.probe()
	c.announce(dev)
}

// announce tells clients that what is plugged in has changed.
func (c *Connector) announce(dev *drm.RegisteredDevice) {
	dev.Class().Send(drm.Uevent{
		Action: "change", Kobject: dev.Primary().Kobject(),
		Env: []string{"HOTPLUG=1", fmt.Sprintf("CONNECTOR=%d", c.id)},
	})
}

// usableModes returns those of the modes that the device can show, in the
// order in which clients see them.
func (m *ModeConfig) usableModes(modes []mode.Mode) []mode.Mode {
	limits := &m.config.Limits
	usable := slices.DeleteFunc(slices.Clone(modes), func(m mode.Mode) bool {
		return m.Validate() != nil || uint32(m.HDisplay) > limits.MaxWidth || uint32(m.VDisplay) > limits.MaxHeight
	})
	slices.SortStableFunc(usable, compareModes)
	return usable
}

// compareModes is the order of drm_mode_compare: preferred modes first, then
// the larger, then the faster.
func compareModes(a, b mode.Mode) int {
	preferred := func(m *mode.Mode) int { return int(m.Type & uapi.ModeTypePreferred) }
	area := func(m *mode.Mode) int { return int(m.HDisplay) * int(m.VDisplay) }
	return cmp.Or(
		cmp.Compare(preferred(&b), preferred(&a)),
		cmp.Compare(area(&b), area(&a)),
		cmp.Compare(b.VRefresh(), a.VRefresh()),
		cmp.Compare(b.Clock, a.Clock),
	)
}
