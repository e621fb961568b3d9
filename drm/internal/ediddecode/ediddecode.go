// Package ediddecode asks edid-decode, the reference for EDIDs and timings, for
// the tests of drm/edid and drm/mode.
//
// Start reading at [Run].
package ediddecode

import (
	"bytes"
	"errors"
	"math"
	"os/exec"
	"regexp"
	"strconv"
	"testing"

	"github.com/udrm/udrm/drm/uapi"
)

// Run returns what edid-decode says, whatever its verdict.
func Run(t testing.TB, stdin []byte, args ...string) string {
	t.Helper()
	cmd := exec.Command("edid-decode", args...)
	cmd.Stdin = bytes.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	switch _, verdict := err.(*exec.ExitError); {
	case errors.Is(err, exec.ErrNotFound):
		t.Fatal("edid-decode is missing: install the Debian package edid-decode (make deps does)")
	case err != nil && !verdict:
		t.Fatalf("edid-decode: %v\n%s", err, out)
	}
	return string(out)
}

var timingLine = regexp.MustCompile(`(\d+)x(\d+) +([\d.]+) Hz.* ([\d.]+) MHz.*\n` +
	` +Hfront +(\d+) Hsync +(\d+) Hback +(\d+) Hpol (\w)(?: Hborder +(\d+))?.*\n` +
	` +Vfront +(\d+) Vsync +(\d+) Vback +(\d+) Vpol (\w)(?: Vborder +(\d+))?`)

// Timings returns the progressive timings in the output of edid-decode. They have
// no names.
func Timings(out string) (timings []uapi.ModeInfo) {
	for _, f := range timingLine.FindAllStringSubmatch(out, -1) {
		n := func(i int) uint16 { v, _ := strconv.ParseUint(f[i], 10, 16); return uint16(v) }
		mhz, _ := strconv.ParseFloat(f[4], 64)
		m := uapi.ModeInfo{Clock: uint32(math.Round(mhz * 1000)), HDisplay: n(1), VDisplay: n(2), Type: uapi.ModeTypeDriver}
		m.Flags = uint32(uapi.ModeFlagNHSync | uapi.ModeFlagNVSync)
		if f[8] == "P" {
			m.Flags ^= uapi.ModeFlagNHSync | uapi.ModeFlagPHSync
		}
		if f[13] == "P" {
			m.Flags ^= uapi.ModeFlagNVSync | uapi.ModeFlagPVSync
		}
		m.HSyncStart = m.HDisplay + n(5) + n(9)
		m.HSyncEnd = m.HSyncStart + n(6)
		m.HTotal = m.HSyncEnd + n(7) + n(9)
		m.VSyncStart = m.VDisplay + n(10) + n(14)
		m.VSyncEnd = m.VSyncStart + n(11)
		m.VTotal = m.VSyncEnd + n(12) + n(14)
		timings = append(timings, m)
	}
	return timings
}
