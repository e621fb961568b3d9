package kms

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/edid"
	"github.com/udrm/udrm/drm/mode"
	"github.com/udrm/udrm/drm/uapi"
)

// A Monitor is a display that can be plugged into a connector. It must not be
// changed once it is in use.
type Monitor struct {
	Modes             []mode.Mode // in any order
	With420           []mode.Mode // Modes and those that need YCbCr 4:2:0; nil if there are none
	EDID              []byte      // or nil
	WidthMM, HeightMM uint32      // of the picture; 0 if unknown
	NonDesktop        bool        // a headset or the like
	Tile              *edid.Tile  // if it is a tile of a larger monitor; or nil

	// MinRefresh and MaxRefresh limit the refresh rate of a monitor that can vary
	// it, in Hz. 0 stands for a fixed rate.
	MinRefresh, MaxRefresh uint32

	BPC uint32 // bits per component; 0 if unknown

	newer *Monitor // as Linux 7.2 reads its EDID; or nil, if as this one
}

// A probeResult is the result of a probe of a connector. The zero value means
// not probed yet.
type probeResult struct {
	connection        uint32      // uapi.ModeConnected and so on; 0 before the first probe
	modes             []mode.Mode // in the order of clients
	edid              *Blob       // or nil
	widthMM, heightMM uint32
	nonDesktop        bool
	tile              *Blob     // or nil
	refresh           [2]uint32 // limits of a variable refresh rate, in Hz; or 0
	bpc               uint32    // bits per component; 0 if unknown
}

// probe detects what is plugged in (drm_helper_probe_single_connector_modes).
// Clients see the result of the last probe.
func (c *Connector) probe() {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := probeResult{connection: c.forced.connection(c.connection)}
	if c.unregistered.Load() {
		now.connection = uapi.ModeDisconnected
	}
	var data []byte
	var tile *edid.Tile
	if m := c.plugged(); now.connection != uapi.ModeDisconnected {
		now.modes = c.usableModes(m)
		now.widthMM, now.heightMM = m.WidthMM, m.HeightMM
		now.nonDesktop = m.NonDesktop
		now.bpc = m.BPC
		data, tile = m.EDID, m.Tile
		if m.MinRefresh > 0 && m.MinRefresh < m.MaxRefresh {
			now.refresh = [2]uint32{m.MinRefresh, m.MaxRefresh}
		}
	}
	now.edid = c.display.replaceBlob(c.probed.edid, data)
	now.tile = c.display.replaceBlob(c.probed.tile, c.display.tiles.property(c, tile))
	c.probed = now
}

// plugged returns the monitor that clients see, without modes if there is none. The
// caller holds mu.
func (c *Connector) plugged() *Monitor {
	m := cmp.Or(c.override, c.readable(), &Monitor{})
	if c.display.config.Kernel == drm.Linux72 {
		m = cmp.Or(m.newer, m)
	}
	return m
}

// readable returns the monitor that the driver finds, or nil. A connector that is
// forced on without a monitor has none whose EDID could be read. The caller holds
// mu.
func (c *Connector) readable() *Monitor {
	if c.connection == uapi.ModeDisconnected && c.monitor != nil && c.monitor.EDID != nil {
		return nil
	}
	return c.monitor
}

// lastProbe returns the result of the last probe.
func (c *Connector) lastProbe() probeResult {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.probed
	s.connection = cmp.Or(s.connection, uapi.ModeUnknownConnection)
	return s
}

// Plugged returns what is plugged into the connector: uapi.ModeConnected and so
// on, and the monitor, or nil.
func (c *Connector) Plugged() (connection uint32, monitor *Monitor) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.connection, c.monitor
}

// Hotplug reports a change of what is plugged into the connector. connection is
// uapi.ModeConnected and so on; monitor is ignored for uapi.ModeDisconnected.
// Hotplug probes the connector, then sends a uevent of the card with HOTPLUG=1
// and the CONNECTOR (drm_kms_helper_connector_hotplug_event). It does not
// change what CRTCs show: that is up to clients.
func (c *Connector) Hotplug(dev *drm.RegisteredDevice, connection uint32, monitor *Monitor) {
	c.mu.Lock()
	c.connection, c.monitor = connection, monitor
	c.mu.Unlock()
	c.probe()
	c.announce(dev)
}

// LoseLink lets the link to the monitor fail: the property link-status becomes
// Bad, and clients get a uevent. They repair the link with a modeset that sets
// the property to Good (drm_connector_set_link_status_property).
func (c *Connector) LoseLink(dev *drm.RegisteredDevice) {
	c.display.loseLink(c)
	c.announce(dev)
}

func (m *ModeConfig) loseLink(c *Connector) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c.freed {
		return
	}
	old := m.state.Load()
	next := old.clone()
	next.connectors[c.index].LinkStatus = uapi.ModeLinkStatusBad
	m.replaceState(old, next)
}

// announce sends the uevent of a hot-plug, and tells the console.
func (c *Connector) announce(dev *drm.RegisteredDevice) {
	dev.Class().Send(drm.Uevent{
		Action: "change", Kobject: dev.Primary().Kobject(),
		Env: []string{"HOTPLUG=1", fmt.Sprintf("CONNECTOR=%d", c.id)},
	})
	c.display.restoreConsole(dev)
}

// The size up to which a monitor without modes has those of VESA DMT.
const fallbackWidth, fallbackHeight = 1024, 768

// usableModes returns the modes that the connector can show, in the order in
// which clients see them. A monitor without modes has fallback modes. The list may
// have modes whose refresh rate is out of range: clients cannot set those.
func (c *Connector) usableModes(monitor *Monitor) []mode.Mode {
	modes := monitor.Modes
	displayPort := c.config.Type == uapi.ModeConnectorDisplayPort
	switch {
	case monitor.With420 != nil && c.config.YCbCr420:
		modes = monitor.With420
	case len(modes) == 0 && monitor.With420 == nil:
		modes = mode.WithoutEDID(fallbackWidth, fallbackHeight)
		if displayPort {
			preferFailsafe(modes)
		}
	}
	usable := slices.DeleteFunc(slices.Clone(modes), c.cannotShow)
	if len(usable) == 0 && displayPort {
		usable = slices.DeleteFunc(mode.WithoutEDID(failsafeWidth, failsafeHeight), c.cannotShow)
	}
	slices.SortStableFunc(usable, compareModes)
	return usable
}

// cannotShow reports whether the connector cannot show the mode.
func (c *Connector) cannotShow(m mode.Mode) bool {
	const kinds = uapi.ModeFlagInterlace | uapi.ModeFlagDblscan | uapi.ModeFlag3DMask
	limits := &c.display.config.Limits
	return m.ValidateTiming() != nil || m.Flags&kinds&^c.config.ModeFlags != 0 ||
		uint32(m.HDisplay) > limits.MaxWidth || uint32(m.VDisplay) > limits.MaxHeight
}

// The size of the mode that every monitor with DisplayPort must support.
const failsafeWidth, failsafeHeight = 640, 480

// preferFailsafe marks the failsafe mode as preferred.
func preferFailsafe(modes []mode.Mode) {
	for i := range modes {
		if m := &modes[i]; m.HDisplay == failsafeWidth && m.VDisplay == failsafeHeight {
			m.Type |= uapi.ModeTypePreferred
		}
	}
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
