package main

import (
	"fmt"

	"github.com/udrm/udrm/driver/vgem"
)

// addVGEM plugs count vgem devices, which get the next free nodes: "vgem",
// "vgem.1" … They are no cards that --at could name.
func (c *cards) addVGEM(count int) error {
	for i := range count {
		name := "vgem"
		if i > 0 {
			name = fmt.Sprintf("vgem.%d", i)
		}
		dev, err := c.platform.Add(name)
		if err != nil {
			return err
		}
		if err := dev.Bind(vgem.NewDriver(c.class)); err != nil {
			return err
		}
	}
	return nil
}
