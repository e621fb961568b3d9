// Package edid makes and reads EDIDs: what a monitor says of itself to the
// connector that it is plugged into (VESA E-EDID 1.4, with extensions by
// CTA-861 and VESA DisplayID).
//
// # Concept
//
// A [Monitor] is what matters to modesetting: who made it, its name, its size
// and its modes, the preferred one first. [Monitor.Encode] makes an EDID of
// it, [Parse] reads one, made here or read from a real monitor. A mode is a
// complete timing; [mode.For] finds one for "2560x1440 at 60 Hz": that of a
// standard, if there is one, or else one computed by VESA's Coordinated Video
// Timings with reduced blanking.
//
// # Where things are
//
// An EDID is blocks of 128 bytes. The base block has room for two modes
// beside the name and the limits; more follow in CTA-861 blocks, and what is
// too large for them (over 4095 pixels or 655.35 MHz) in DisplayID blocks.
//
// Who uses it: package drm/kms turns an EDID into the modes of a connector,
// package driver/vkms makes those of virtual monitors.
//
// Nothing here keeps state. Everything may be called concurrently.
//
// Start reading at edid.go, then base.go and its extensions, cta.go and
// displayid.go.
package edid
