// Package edid encodes and parses EDIDs: what a monitor tells the connector
// that it is plugged into (VESA E-EDID 1.4, with extensions by CTA-861 and VESA
// DisplayID).
//
// # Concept
//
// A [Monitor] has what matters for modesetting: manufacturer, name, size and
// modes. [Monitor.Encode] makes an EDID of it. [Parse] reads any EDID as Linux
// does, including damaged ones: its modes are those that Linux 6.12 finds, in the
// same order. [Parse72] does so for Linux 7.2. [Repair] returns the bytes that
// Linux keeps.
//
// # Where to start reading
//
// An EDID consists of blocks of 128 bytes: see block.go. Encode is in edid.go
// and base.go. Parse is in parse.go, which lists the sources of modes in order;
// each has a file of its own: detailed.go, standard.go, established.go, cta.go
// with hdmi.go, displayid.go and inferred.go. match.go recognises modes of
// television. quirks.go lists monitors whose EDID is wrong.
//
// Package drm/kms uses this package for the modes of connectors, package
// machine/config for monitors by description.
//
// The package keeps no state. All functions may be called concurrently.
package edid
