package kms

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/mode"
	"github.com/udrm/udrm/drm/uapi"
)

// A Monitor is a display that can be plugged into a connector. It must not be
// changed once it is in use.
type Monitor struct {
	Modes             []mode.Mode // in any order
	EDID              []byte      // or nil
	WidthMM, HeightMM uint32      // of the picture; 0 if unknown
}

// A probeResult is the result of a probe of a connector. The zero value means
// not probed yet.
type probeResult struct {
	connection        uint32      // uapi.ModeConnected and so on; 0 before the first probe
	modes             []mode.Mode // in the order of clients
	edid              *Blob       // or nil
	widthMM, heightMM uint32
}

// probe detects what is plugged in (drm_helper_probe_single_connector_modes).
// Clients see the result of the last probe.
func (c *Connector) probe() {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := probeResult{connection: c.forced.connection(c.connection), edid: c.probed.edid}
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
		if old := c.probed.edid; old != nil {
			c.display.objects.put(old)
		}
	}
	c.probed = now
}

// lastProbe returns the result of the last probe.
func (c *Connector) lastProbe() probeResult {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.probed
	s.connection = cmp.Or(s.connection, uapi.ModeUnknownConnection)
	return s
}

// Hotplug reports a change of what is plugged into the connector. connection is
// uapi.ModeConnected and so on; monitor is ignored for uapi.ModeDisconnected.
// Hotplug probes the connector, then sends a uevent of the card with HOTPLUG=1
// and the CONNECTOR (drm_kms_helper_connector_hotplug_event). It does not change
// what CRTCs show: that is up to clients.
func (c *Connector) Hotplug(dev *drm.RegisteredDevice, connection uint32, monitor *Monitor) {
	c.mu.Lock()
	c.connection, c.monitor = connection, monitor
	c.mu.Unlock()
	c.probe()
	c.announce(dev)
}

// announce sends the uevent of a hot-plug.
func (c *Connector) announce(dev *drm.RegisteredDevice) {
	dev.Class().Send(drm.Uevent{
		Action: "change", Kobject: dev.Primary().Kobject(),
		Env: []string{"HOTPLUG=1", fmt.Sprintf("CONNECTOR=%d", c.id)},
	})
}

// usableModes returns the modes that the device can show, in the order in which
// clients see them.
func (m *ModeConfig) usableModes(modes []mode.Mode) []mode.Mode {
	limits := &m.config.Limits
	usable := slices.DeleteFunc(slices.Clone(modes), func(m mode.Mode) bool {
		return m.Validate() != nil || uint32(m.HDisplay) > limits.MaxWidth || uint32(m.VDisplay) > limits.MaxHeight
	})
	slices.SortStableFunc(usable, compareModes)
	return usable
}

// compareModes orders modes as drm_mode_compare does: preferred modes first,
// then larger ones, then faster ones.
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
