package edid

import (
	"bytes"
	"slices"
)

// A quirk is a set of corrections for a monitor whose EDID is wrong.
type quirk uint

const (
	preferLarge60     quirk = 1 << iota // prefer the largest mode near 60 Hz
	preferLarge75                       // prefer the largest mode near 75 Hz
	clock135TooHigh                     // a clock of 135 MHz is really 10.88 MHz
	detailedSyncPP                      // detailed timings have positive syncs
	forceReducedBlank                   // detailed timings mean CVT with reduced blanking
	nonDesktop                          // a headset or the like
)

// A productID identifies a kind of monitor.
type productID struct {
	manufacturer string
	product      uint16
}

// quirks holds the monitors of the kernel's edid_quirk_list, as far as their
// quirks affect modes and non-desktop.
var quirks = map[productID]quirk{
	{"ACR", 44358}:  preferLarge60,
	{"API", 0x7602}: preferLarge60,
	{"MAX", 1516}:   preferLarge60,
	{"MAX", 0x77e}:  preferLarge60,
	{"EPI", 59264}:  clock135TooHigh,
	{"EPI", 8232}:   preferLarge60,
	{"FCM", 13600}:  preferLarge75,
	{"SAM", 541}:    detailedSyncPP,
	{"SAM", 596}:    preferLarge60,
	{"SAM", 638}:    preferLarge60,
	{"VSC", 5020}:   forceReducedBlank,
	{"MED", 0x7b8}:  preferLarge75,

	// Headsets.
	{"VLV", 0x91a8}: nonDesktop, {"VLV", 0x91b0}: nonDesktop, {"VLV", 0x91b1}: nonDesktop,
	{"VLV", 0x91b2}: nonDesktop, {"VLV", 0x91b3}: nonDesktop, {"VLV", 0x91b4}: nonDesktop,
	{"VLV", 0x91b5}: nonDesktop, {"VLV", 0x91b6}: nonDesktop, {"VLV", 0x91b7}: nonDesktop,
	{"VLV", 0x91b8}: nonDesktop, {"VLV", 0x91b9}: nonDesktop, {"VLV", 0x91ba}: nonDesktop,
	{"VLV", 0x91bb}: nonDesktop, {"VLV", 0x91bc}: nonDesktop, {"VLV", 0x91bd}: nonDesktop,
	{"VLV", 0x91be}: nonDesktop, {"VLV", 0x91bf}: nonDesktop,
	{"HVR", 0xaa01}: nonDesktop, {"HVR", 0xaa02}: nonDesktop,
	{"OVR", 0x0001}: nonDesktop, {"OVR", 0x0003}: nonDesktop, {"OVR", 0x0004}: nonDesktop, {"OVR", 0x0012}: nonDesktop,
	{"ACR", 0x7fce}: nonDesktop, {"LEN", 0x0408}: nonDesktop, {"FUJ", 0x1970}: nonDesktop,
	{"DEL", 0x7fce}: nonDesktop, {"SEC", 0x144a}: nonDesktop, {"AUS", 0xc102}: nonDesktop,
	{"SNY", 0x0704}: nonDesktop, {"SEN", 0x1019}: nonDesktop,
	{"SVR", 0x1019}: nonDesktop, {"AUO", 0x1111}: nonDesktop,
}

// wrongSectionSum reports whether the monitor is known for a wrong checksum of its
// DisplayID section (QUIRK_IGNORE_CHECKSUM). It is known by a text, too.
func (p *parser) wrongSectionSum(id productID) (known bool) {
	if id != (productID{"CSO", 5142}) {
		return false
	}
	for d := range p.descriptors {
		text, found := bytes.CutPrefix(d[5:], []byte("MNE007ZA1-5"))
		text, _, _ = bytes.Cut(text, []byte("\n"))
		known = known || found && (d.is(tagName) || d.is(tagText)) && !slices.ContainsFunc(text, notSpace)
	}
	return known
}

// notSpace reports whether the character, of Latin-1, is not a space.
func notSpace(c byte) bool { return (c < '\t' || c > '\r') && c != ' ' && c != 0xa0 }
