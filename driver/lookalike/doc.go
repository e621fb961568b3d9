// Package lookalike is a driver for cards that look like given hardware: with its
// driver name and version, its place on a bus, its planes, properties, formats
// and limits, and with what it refuses. Programs that choose a card by such facts
// can be tested without the hardware.
//
// A [Config] describes the card. Package config makes it from a file, or from
// what drm_info -j has printed on a real card. A [Driver] is bound to a device
// that is added where [Bus.Place] says.
//
// What standard properties do is done by package kms. A property that kms does
// not know keeps what clients set, within its limits, and has no effect.
//
// [Constraints] refuse commits as hardware does.
//
// Start reading at [Config], then display.go.
package lookalike
