package vgem_test

import (
	"context"
	"fmt"
	"log"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/driver/vgem"
	"github.com/udrm/udrm/drm"
)

// The driver makes a card and a render node on a device of any bus.
func Example() {
	class := drm.NewClass(drm.ClassOptions{})
	dev, err := bus.New("platform").Add("vgem")
	if err != nil {
		log.Fatal(err)
	}
	if err := dev.Bind(vgem.NewDriver(class).BusDriver()); err != nil {
		log.Fatal(err)
	}
	for _, m := range class.Minors() {
		fmt.Println(m.Name())
	}
	if err := dev.Remove(context.Background()); err != nil {
		log.Fatal(err)
	}
	// Output:
	// card0
	// renderD128
}
