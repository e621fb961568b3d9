package machine

import (
	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/driver/lookalike"
	"github.com/udrm/udrm/driver/vgem"
	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/machine/config"
)

// A Driver is a kind of card.
type Driver struct {
	// Name is the driver's name in descriptions, and the name of its devices
	// on the bus: NAME, NAME.1, NAME.2 and so on.
	Name config.Driver

	// New returns a driver for one card. It is called whenever the card is
	// plugged or bound. The driver registers its DRM device in class.
	New func(class *drm.Class, card config.Card) *bus.Driver
}

// drivers returns the drivers of a machine by name.
func drivers(own []Driver) map[config.Driver]Driver {
	all := map[config.Driver]Driver{
		config.VKMS: {Name: config.VKMS, New: func(class *drm.Class, card config.Card) *bus.Driver {
			return vkms.NewDriver(class, card.VKMS).BusDriver()
		}},
		config.VGEM: {Name: config.VGEM, New: func(class *drm.Class, card config.Card) *bus.Driver {
			return vgem.NewDriver(class).BusDriver()
		}},
	}
	all[config.Lookalike] = Driver{Name: config.Lookalike, New: func(class *drm.Class, card config.Card) *bus.Driver {
		return lookalike.NewDriver(class, *card.Lookalike).BusDriver()
	}}
	for _, d := range own {
		all[d.Name] = d
	}
	return all
}
