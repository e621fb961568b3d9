package kms

import (
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/uapi"
)

// A privacyScreen is the electronic privacy screen of a panel.
type privacyScreen struct{ sw, hw *Property }

// privacyLocked is what a locked state of "privacy-screen hw-state" has more
// than the same state unlocked.
const privacyLocked = 2

// AttachPrivacyScreenProperties adds the two properties of an electronic privacy
// screen (drm_connector_attach_privacy_screen_properties). A commit of
// "privacy-screen sw-state" switches the screen, unless it is locked.
func (c *Connector) AttachPrivacyScreenProperties() {
	c.privacy.sw = c.attachEnum("privacy-screen sw-state", 0, PropertyConfig{}, standardEnums("privacy-screen sw-state", allValues)...)
	c.privacy.hw = c.attachEnum("privacy-screen hw-state", uapi.ModePropImmutable, PropertyConfig{
		Get: func(s *State, hw uint64) uint64 {
			if hw >= privacyLocked {
				return hw
			}
			return s.Property(c, c.privacy.sw)
		},
	}, standardEnums("privacy-screen hw-state", allValues)...)
}

// SetPrivacyScreen reports that a user has switched the privacy screen by hand.
// While it is locked, clients cannot switch it. Clients get a uevent for both
// properties.
func (c *Connector) SetPrivacyScreen(dev *drm.RegisteredDevice, on, locked bool) error {
	hw := boolValue(on)
	if locked {
		hw += privacyLocked
	}
	if err := c.display.UpdateProperty(dev, c, c.privacy.hw, hw); err != nil {
		return err
	}
	if !locked {
		if err := c.display.UpdateProperty(dev, c, c.privacy.sw, hw); err != nil {
			return err
		}
	}
	c.announceProperty(dev, c.privacy.sw)
	c.announceProperty(dev, c.privacy.hw)
	return nil
}
