// Command mycommand is udrm with a driver of its own, package panel. It runs
// programs on panels, unplugs them, takes screenshots and has a man page.
//
//	go run ./examples/mycommand run --at 2s:unplug=card0 -- modetest -M panel -c
package main

import (
	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/examples/display/panel"
	"github.com/udrm/udrm/machine"
	"github.com/udrm/udrm/machine/config"
	"github.com/udrm/udrm/udrmcmd"
)

func main() {
	udrmcmd.Main(udrmcmd.Options{
		Name:    "mycommand",
		Drivers: []machine.Driver{{Name: "panel", New: newPanel}},
	})
}

func newPanel(class *drm.Class, _ config.Card) *bus.Driver {
	return panel.New(class, nil).BusDriver()
}
