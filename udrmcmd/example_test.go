package udrmcmd_test

import (
	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/examples/display/panel"
	"github.com/udrm/udrm/machine"
	"github.com/udrm/udrm/machine/config"
	"github.com/udrm/udrm/udrmcmd"
)

func ExampleMain() {
	udrmcmd.Main(udrmcmd.Options{
		Name: "mycommand",
		Drivers: []machine.Driver{{Name: "panel", New: func(class *drm.Class, _ config.Card) *bus.Driver {
			return panel.New(class, nil).BusDriver()
		}}},
	})
}
