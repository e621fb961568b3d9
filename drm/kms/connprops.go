package kms

import (
	"fmt"
	"math"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/uapi"
)

// The Attach functions below add standard properties to a connector, in the
// order in which clients see them. The values are part of the State:
// [Connector.StandardProperty] finds the property. Those that interrupt the
// signal when they change are commits with a modeset, as in the kernel's
// helpers and drivers. What they do to the signal behind the CRTC, such as
// borders, is not part of the composed picture.

// standard returns the standard property of the device with that name. create
// makes it for the first object that has it.
func (m *ModeConfig) standardProperty(name string, create func() *Property) *Property {
	if p := m.named[name]; p != nil {
		return p
	}
	if m.named == nil {
		m.named = make(map[string]*Property)
	}
	p := create()
	m.named[name] = p
	return p
}

// StandardProperty returns the standard property of that name that a function
// of this package has attached to the connector, such as "max bpc", or nil. Its
// value is [State.Property] or [State.PropertyBlob].
func (c *Connector) StandardProperty(name string) *Property {
	for i := range c.properties.list {
		if at := &c.properties.list[i]; at.slot >= 0 && at.property.name == name {
			return at.property
		}
	}
	return nil
}

// SetInitial makes a property of a range or an enum that StandardProperty finds begin
// with value. It does nothing without the property, or for a value that it does
// not have.
func (c *Connector) SetInitial(name string, value uint64) {
	c.display.checkNotInUse()
	p := c.StandardProperty(name)
	if p == nil || p.is(uapi.ModePropBlob) || p.is(uapi.ModePropObject) {
		return
	}
	if _, ok := p.takes(&c.display.objects, value); ok {
		c.properties.lookup(p).initial.value = value
	}
}

// attach adds a property whose value is part of the state.
func (c *Connector) attach(p *Property, config PropertyConfig) *Property {
	c.display.AttachProperty(c, p, config)
	return p
}

func (c *Connector) attachEnum(name string, flags uint32, config PropertyConfig, enums ...PropertyEnum) *Property {
	return c.attach(c.display.standardProperty(name, func() *Property {
		return c.display.CreateEnumProperty(name, flags, enums...)
	}), config)
}

// enums numbers names from 0.
func enums(names ...string) []PropertyEnum { return numbered(names, math.MaxUint32) }

// hdrMetadataSize is the size of struct hdr_output_metadata.
const hdrMetadataSize = 32

// AttachHDROutputMetadataProperty lets clients describe the mastering display
// of HDR content: HDR_OUTPUT_METADATA, a struct hdr_output_metadata
// (drm_connector_attach_hdr_output_metadata_property).
func (c *Connector) AttachHDROutputMetadataProperty() {
	c.attach(c.display.standard.hdrOutputMetadata, PropertyConfig{Modeset: true, Set: sizedBlob(hdrMetadataSize)})
}

// The colorspaces of HDMI and of DisplayPort, one bit each.
const (
	hdmiColorspaces = 0x1fff
	dpColorspaces   = 0xeffd
)

// AttachColorspaceProperty lets clients choose the colorspace of the signal.
// spaces has a bit for each value of enum drm_colorspace; 0 stands for all those
// of HDMI, or on other connectors of DisplayPort
// (drm_connector_attach_colorspace_property).
func (c *Connector) AttachColorspaceProperty(spaces uint32) {
	if spaces == 0 {
		spaces = dpColorspaces
		if c.config.Type == uapi.ModeConnectorHDMIA || c.config.Type == uapi.ModeConnectorHDMIB {
			spaces = hdmiColorspaces
		}
	}
	p := c.display.CreateEnumProperty("Colorspace", 0, standardEnums("Colorspace", spaces|1)...)
	c.attach(p, PropertyConfig{Modeset: true})
}

// AttachMaxBPCProperty lets clients limit the bits per component of the signal,
// within [low, high]. It begins with high
// (drm_connector_attach_max_bpc_property).
func (c *Connector) AttachMaxBPCProperty(low, high uint64) {
	p := c.display.CreateRangeProperty("max bpc", 0, low, high)
	c.attach(p, PropertyConfig{Initial: high, Modeset: true})
}

// AttachContentTypeProperty adds "content type"
// (drm_connector_attach_content_type_property).
func (c *Connector) AttachContentTypeProperty() {
	c.attachEnum("content type", 0, PropertyConfig{}, standardEnums("content type", allValues)...)
}

// AttachBroadcastRGBProperty lets clients choose the range of RGB
// (drm_connector_attach_broadcast_rgb_property).
func (c *Connector) AttachBroadcastRGBProperty() {
	c.attachEnum("Broadcast RGB", 0, PropertyConfig{Modeset: true}, standardEnums("Broadcast RGB", allValues)...)
}

// AttachAspectRatioProperty adds "aspect ratio"
// (drm_mode_create_aspect_ratio_property).
func (c *Connector) AttachAspectRatioProperty() {
	c.attachEnum("aspect ratio", 0, PropertyConfig{Modeset: true}, standardEnums("aspect ratio", allValues)...)
}

// Values of the property "panel orientation" (enum drm_panel_orientation).
const (
	OrientationNormal = iota
	OrientationUpsideDown
	OrientationLeftUp
	OrientationRightUp
)

// AttachPanelOrientationProperty says how the panel is mounted: Orientation*
// (drm_connector_set_panel_orientation).
func (c *Connector) AttachPanelOrientationProperty(orientation uint64) {
	c.attachEnum("panel orientation", uapi.ModePropImmutable, PropertyConfig{Initial: orientation},
		standardEnums("panel orientation", allValues)...)
}

// AttachScalingModeProperty lets clients choose how a panel shows modes other
// than its own. modes has a bit for each, 1<<uapi.ModeScaleFullscreen and so on
// (drm_connector_attach_scaling_mode_property).
func (c *Connector) AttachScalingModeProperty(modes uint32, initial uint64) {
	p := c.display.CreateEnumProperty("scaling mode", 0, standardEnums("scaling mode", modes)...)
	c.attach(p, PropertyConfig{Initial: initial, Modeset: true})
}

// AttachTVModeProperty lets clients choose the norm of a television. modes has a
// bit for each value of enum drm_connector_tv_mode
// (drm_mode_create_tv_properties).
func (c *Connector) AttachTVModeProperty(modes uint32, initial uint64) {
	c.attachEnum("TV mode", 0, PropertyConfig{Initial: initial, Modeset: true}, standardEnums("TV mode", modes)...)
}

// The values of "select subconnector" and "subconnector", by type of connector.
var (
	dviSubconnectors = []PropertyEnum{{uapi.ModeSubconnectorDVID, "DVI-D"}, {uapi.ModeSubconnectorDVIA, "DVI-A"}}
	tvSubconnectors  = []PropertyEnum{
		{uapi.ModeSubconnectorComposite, "Composite"}, {uapi.ModeSubconnectorSVideo, "SVIDEO"},
		{uapi.ModeSubconnectorComponent, "Component"}, {uapi.ModeSubconnectorSCART, "SCART"},
	}
	dpSubconnectors = []PropertyEnum{
		{uapi.ModeSubconnectorVGA, "VGA"}, {uapi.ModeSubconnectorDVID, "DVI-D"}, {uapi.ModeSubconnectorHDMIA, "HDMI"},
		{uapi.ModeSubconnectorDisplayPort, "DP"}, {uapi.ModeSubconnectorWireless, "Wireless"}, {uapi.ModeSubconnectorNative, "Native"},
	}
)

// Subconnectors returns the values of "subconnector" on a connector of the type,
// uapi.ModeConnector*.
func Subconnectors(connectorType uint32) []PropertyEnum {
	return append([]PropertyEnum{{uapi.ModeSubconnectorUnknown, "Unknown"}}, knownSubconnectors(connectorType)...)
}

// knownSubconnectors is [Subconnectors] without "Unknown".
func knownSubconnectors(connectorType uint32) []PropertyEnum {
	switch connectorType {
	case uapi.ModeConnectorDVII:
		return dviSubconnectors
	case uapi.ModeConnectorDisplayPort, uapi.ModeConnectorEDP:
		return dpSubconnectors
	}
	return tvSubconnectors
}

// AttachSubconnectorProperties adds "subconnector", which says what a DVI-I, TV
// or DisplayPort connector is used as, and for the first two "select
// subconnector" (drm_mode_create_dvi_i_properties and its siblings). The driver
// reports a change with [ModeConfig.UpdateProperty].
func (c *Connector) AttachSubconnectorProperties(initial uint64) {
	m := c.display
	if c.config.Type != uapi.ModeConnectorDisplayPort && c.config.Type != uapi.ModeConnectorEDP {
		choices := append([]PropertyEnum{{uapi.ModeSubconnectorAutomatic, "Automatic"}}, knownSubconnectors(c.config.Type)...)
		c.attach(m.CreateEnumProperty("select subconnector", 0, choices...), PropertyConfig{Modeset: true})
	}
	c.attach(m.CreateEnumProperty("subconnector", uapi.ModePropImmutable, Subconnectors(c.config.Type)...), PropertyConfig{Initial: initial})
}

// AttachPrivacyScreenProperties adds the two properties of an electronic privacy
// screen (drm_connector_attach_privacy_screen_properties). The screen obeys
// "privacy-screen sw-state" at once: nothing locks it.
func (c *Connector) AttachPrivacyScreenProperties() {
	const sw, hw = "privacy-screen sw-state", "privacy-screen hw-state"
	asked := c.attachEnum(sw, 0, PropertyConfig{}, standardEnums(sw, allValues)...)
	c.attachEnum(hw, uapi.ModePropImmutable, PropertyConfig{
		Get: func(s *State, _ uint64) uint64 { return s.Property(c, asked) },
	}, standardEnums(hw, allValues)...)
}

// AttachPathProperty says where in the topology of DisplayPort MST the connector
// is, such as "mst:45-1-2" (drm_connector_set_path_property).
func (c *Connector) AttachPathProperty(path string) {
	c.attach(c.display.standard.path, PropertyConfig{InitialBlob: append([]byte(path), 0)})
}

// AttachVRRCapableProperty says whether the monitor has a variable refresh rate:
// see [Monitor.MinRefresh] (drm_connector_attach_vrr_capable_property).
func (c *Connector) AttachVRRCapableProperty() {
	c.vrrCapable = c.attach(c.display.standardProperty("vrr_capable", func() *Property {
		return c.display.CreateBoolProperty("vrr_capable", uapi.ModePropImmutable)
	}), PropertyConfig{Get: func(*State, uint64) uint64 { return boolValue(c.lastProbe().refresh != [2]uint32{}) }})
}

// announceProperty sends the uevent of a property that the hardware has changed
// (drm_sysfs_connector_property_event).
func (c *Connector) announceProperty(dev *drm.RegisteredDevice, p *Property) {
	dev.Class().Send(drm.Uevent{
		Action: "change", Kobject: dev.Primary().Kobject(),
		Env: []string{"HOTPLUG=1", fmt.Sprintf("CONNECTOR=%d", c.id), fmt.Sprintf("PROPERTY=%d", p.id)},
	})
}
