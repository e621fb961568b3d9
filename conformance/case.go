package conformance

import (
	"slices"
	"strings"
)

// A Case is a test of one subject. Every device that meets its needs must pass.
type Case struct {
	Name  string // a path of words: "dumb/create"
	Needs Needs
	run   func(t *tester)
}

// Property returns the standard property that the case is about, or "". Drivers
// choose the properties of their objects, so the case does not apply to a
// device without it. It stands in the name: "standard/max bpc".
func (c Case) Property() string {
	rest, _ := strings.CutPrefix(c.Name, "standard/")
	if rest == c.Name {
		return ""
	}
	name, _, _ := strings.Cut(rest, "/")
	return name
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
		connectorCases,
		forceCases,
		propertyCases,
		standardCases,
		framebufferCases,
		crtcCases,
		planeCases,
		flipCases,
		vblankCases,
		atomicCases,
		leaseCases,
		twoCases,
		fbdevCases,
		otherCases,
		unplugCases,
		hubCases,
	)
}
