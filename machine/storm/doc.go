// Package storm makes random sequences of hot-plugs and faults, and shrinks them
// to the smallest one that still makes a program fail.
//
//	spec, err := storm.Parse("42:steps=20")
//	…
//	steps := spec.Steps(targets)
//	smallest, err := storm.Shrink(steps, func(steps []string) (bool, error) { … })
//
// A step is a rule of package [github.com/udrm/udrm/machine/aim]. Steps are aimed
// at the n-th request of the program, not at a time, so that a run of a program
// that sends the same requests can be repeated.
//
// Start reading at [Parse].
package storm
