package devres_test

import (
	"fmt"

	"github.com/udrm/udrm/devres"
)

// Probe adds each resource as soon as it has it. The end of the binding
// releases them, newest first.
func Example() {
	var binding devres.Set
	for _, name := range []string{"registers", "interrupt", "timer"} {
		if _, err := binding.Add(name, func() { fmt.Println("release", name) }); err != nil {
			fmt.Println(err)
			return
		}
	}
	if err := binding.ReleaseAll(); err != nil {
		fmt.Println(err)
	}

	// Output:
	// release timer
	// release interrupt
	// release registers
}
