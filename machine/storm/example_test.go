package storm_test

import (
	"fmt"
	"slices"

	"github.com/udrm/udrm/machine/storm"
)

func ExampleShrink() {
	steps := []string{"disconnect", "unplug", "delay", "connect", "plug"}
	smallest, err := storm.Shrink(steps, func(steps []string) (bool, error) {
		// A real one runs the program with these steps.
		return slices.Contains(steps, "unplug") && slices.Contains(steps, "plug"), nil
	})
	fmt.Println(smallest, err)
	// Output: [unplug plug] <nil>
}
