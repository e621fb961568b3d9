package devres_test

import (
	"fmt"

	"github.com/udrm/udrm/devres"
)

// A set releases its resources in the opposite order of their acquisition.
func ExampleSet() {
	var resources devres.Set
	resources.OnRelease = func(name string) { fmt.Println("released:", name) }
	for _, name := range []string{"registers", "interrupt", "buffer"} {
		fmt.Println("acquired:", name)
		if _, err := resources.Add(name, func() {}); err != nil {
			fmt.Println(err) // the set has been released; so is this resource
		}
	}
	if err := resources.ReleaseAll(); err != nil {
		fmt.Println(err)
	}
	// Output:
	// acquired: registers
	// acquired: interrupt
	// acquired: buffer
	// released: buffer
	// released: interrupt
	// released: registers
}
