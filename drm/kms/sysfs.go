package kms

import (
	"fmt"
	"strings"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/uapi"
)

// register adds the connector to sysfs, below its card.
func (c *Connector) register(dev *drm.RegisteredDevice) {
	device := dev.Device
	c.kobject = &drm.Kobject{
		Name:          dev.Name() + "-" + c.Name(),
		DevType:       "drm_connector",
		Parent:        dev.Device.Parent(),
		ParentKobject: dev.Primary().Kobject(),
		Attrs: []drm.Attr{
			{Name: "connector_id", Show: func() string { return fmt.Sprintf("%d\n", c.id) }},
			{Name: "dpms", Show: c.showDPMS},
			{Name: "edid", Show: c.showEDID},
			{Name: "enabled", Show: c.showEnabled},
			{Name: "modes", Show: c.showModes},
			{Name: "status", Show: c.showStatus, Store: func(data string) error { return c.storeStatus(device, data) }},
		},
	}
	dev.Class().AddKobject(c.kobject)
}

// unregister removes the connector from sysfs if register has added it.
func (c *Connector) unregister(dev *drm.Device) {
	if c.kobject != nil {
		dev.Class().RemoveKobject(c.kobject)
	}
}

func (c *Connector) showDPMS() string {
	return map[uint32]string{
		uapi.ModeDPMSOn: "On\n", uapi.ModeDPMSStandby: "Standby\n", uapi.ModeDPMSSuspend: "Suspend\n", uapi.ModeDPMSOff: "Off\n",
	}[c.display.State().Connector(c).DPMS]
}

func (c *Connector) showEnabled() string {
	if c.display.State().Connector(c).BestEncoder != nil {
		return "enabled\n"
	}
	return "disabled\n"
}

func (c *Connector) showEDID() string {
	if edid := c.lastProbe().edid; edid != nil {
		return string(edid.data)
	}
	return ""
}

func (c *Connector) showModes() string {
	var b strings.Builder
	for _, m := range c.lastProbe().modes {
		b.WriteString(m.Name + "\n")
	}
	return b.String()
}

func (c *Connector) showStatus() string {
	switch c.lastProbe().connection {
	case uapi.ModeConnected:
		return "connected\n"
	case uapi.ModeDisconnected:
		return "disconnected\n"
	}
	return "unknown\n"
}
