package conformance

import "slices"

// A Case is a test of one subject. Every device that meets its needs must pass.
type Case struct {
	Name  string // a path of words: "dumb/create"
	Needs Needs
	run   func(t *tester)
}

// Cases returns all cases, in the order in which [Run] runs them.
func Cases() []Case {
	return slices.Concat(
		ruleCases,
		versionCases,
		capCases,
		masterCases,
		dumbCases,
		nameCases,
		primeCases,
		syncobjCases,
		resourceCases,
		propertyCases,
		framebufferCases,
		crtcCases,
		planeCases,
		flipCases,
		vblankCases,
		atomicCases,
		leaseCases,
		twoCases,
		otherCases,
		unplugCases,
	)
}
