package kms

import (
	"fmt"
	"strings"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/uapi"
)

// register announces the connector: it appears in sysfs below its card.
func (c *Connector) register(dev *drm.RegisteredDevice) {
	c.kobject = &drm.Kobject{
		Name:          dev.Name() + "-" + c.Name(),
		DevType:       "drm_connector",
		Parent:        dev.Device.Parent(),
		ParentKobject: dev.Primary().Kobject(),
		Attrs: []drm.Attr{
			{Name: "connector_id", Show: func() string { return fmt.Sprintf("%d\n", c.id) }},
			{Name: "dpms", Show: c.showDPMS},
			{Name: "edid", Show: func() string { return "" }},
			{Name: "enabled", Show: c.showEnabled},
			{Name: "modes", Show: c.showModes},
			{Name: "status", Show: c.showStatus},
		},
	}
	dev.Class().AddKobject(c.kobject)
}

// unregister takes back what register announced, if anything.
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

func (c *Connector) showModes() string {
	var b strings.Builder
	_, modes := c.status()
	for i := range modes {
		b.WriteString(modes[i].Name + "\n")
	}
	return b.String()
}

func (c *Connector) showStatus() string {
	if connection, _ := c.status(); connection == uapi.ModeConnected {
		return "connected\n"
	}
	return "unknown\n"
}
