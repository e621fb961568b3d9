package kms

import (
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/uapi"
)

// A protection is the state machine of HDCP, without keys. A client asks for
// protection: DESIRED. The device then authenticates the monitor and reports
// ENABLED. A commit that switches the connector off, or asks for another type,
// takes ENABLED back to DESIRED.
type protection struct {
	property    *Property
	contentType *Property // or nil
}

// AttachContentProtectionProperty adds "Content Protection" and, with
// hdcpContentType, "HDCP Content Type"
// (drm_connector_attach_content_protection_property).
func (c *Connector) AttachContentProtectionProperty(hdcpContentType bool) {
	c.protection.property = c.attachEnum("Content Protection", 0, PropertyConfig{Set: func(a *AtomicState, value uint64) (uint64, error) {
		switch {
		case value == uapi.ModeContentProtectionEnabled:
			return 0, invalid("only the device can enable content protection; set it to Desired")
		case value == uapi.ModeContentProtectionDesired && c.protection.is(a.new, c, uapi.ModeContentProtectionEnabled):
			return uapi.ModeContentProtectionEnabled, nil // nothing to do
		}
		return value, nil
	}}, standardEnums("Content Protection", allValues)...)
	if hdcpContentType {
		c.protection.contentType = c.attachEnum("HDCP Content Type", 0, PropertyConfig{}, standardEnums("HDCP Content Type", allValues)...)
	}
}

func (p *protection) is(s *State, c *Connector, value uint64) bool {
	return s.Property(c, p.property) == value
}

// checkProtection takes protection back where the change ends it
// (drm_hdcp and the atomic checks of drivers).
func (a *AtomicState) checkProtection() {
	for c := range a.Connectors() {
		p := &c.protection
		if p.property == nil || !p.is(a.new, c, uapi.ModeContentProtectionEnabled) {
			continue
		}
		typeChanged := p.contentType != nil && a.old.Property(c, p.contentType) != a.new.Property(c, p.contentType)
		if !a.lit(a.new, c) || typeChanged || a.NeedsModeset(a.new.connectors[c.index].CRTC) {
			a.store(c, attachment(c, p.property), propertyValue{value: uapi.ModeContentProtectionDesired})
		}
	}
}

// lit reports whether the connector has a signal.
func (*AtomicState) lit(s *State, c *Connector) bool {
	crtc := s.connectors[c.index].CRTC
	return crtc != nil && s.crtcs[crtc.index].Active
}

// authenticate starts to authenticate the monitors for which the state that a
// has committed asks for protection.
func (a *AtomicState) authenticate(device *drm.Device) {
	for c := range a.Connectors() {
		if p := &c.protection; p.property != nil && a.lit(a.new, c) && p.is(a.new, c, uapi.ModeContentProtectionDesired) {
			go device.WithGuard(func(dev *drm.RegisteredDevice) error {
				return c.UpdateContentProtection(dev, uapi.ModeContentProtectionEnabled)
			})
		}
	}
}

// UpdateContentProtection reports what has become of the protection:
// uapi.ModeContentProtectionEnabled, or ModeContentProtectionDesired if the link
// has lost it. Clients get a uevent. It does nothing if no client asks for
// protection (drm_hdcp_update_content_protection).
func (c *Connector) UpdateContentProtection(dev *drm.RegisteredDevice, value uint64) error {
	p, changed := &c.protection, false
	err := c.display.commit(dev, commitOptions{unsynced: true}, func(a *AtomicState) error {
		changed = !p.is(a.new, c, uapi.ModeContentProtectionUndesired) && !p.is(a.new, c, value) && a.lit(a.new, c)
		if changed {
			values := a.new.connectors[c.index].properties
			a.new.connectors[c.index].properties = replaced(values, attachment(c, p.property).slot, propertyValue{value: value})
		}
		return nil
	})
	if err == nil && changed {
		c.announceProperty(dev, p.property)
	}
	return err
}
