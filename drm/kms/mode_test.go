package kms

import (
	"slices"
	"testing"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/mode"
	"github.com/udrm/udrm/drm/uapi"
)

func TestModeBlob(t *testing.T) {
	m, ok := mode.CTA(16)
	if !ok {
		t.Fatal("no VIC 16")
	}
	data := encodeMode(&m)
	if len(data) != 68 {
		t.Errorf("a mode blob has %d bytes, want 68", len(data))
	}
	if got, err := decodeMode(data); err != nil || got != m {
		t.Errorf("decodeMode = %+v, %v, want %+v", got, err, m)
	}
}

// A client that does not know of aspect ratios sees one of the modes that
// differ in nothing else.
func TestModesWithoutAspectRatio(t *testing.T) {
	wide := mode.Mode{Clock: 27000, HDisplay: 720, HTotal: 858, VDisplay: 480, VTotal: 525, Flags: uapi.ModeFlagPicAR16_9}
	narrow, other := wide, wide
	narrow.Flags = uapi.ModeFlagPicAR4_3
	other.Clock++
	for _, tc := range []struct {
		caps  drm.ClientCapSet
		flags []uint32
	}{
		{drm.ClientCapSet{}, []uint32{0, 0}},
		{drm.ClientCapSet{AspectRatio: true}, []uint32{uapi.ModeFlagPicAR16_9, uapi.ModeFlagPicAR4_3, uapi.ModeFlagPicAR16_9}},
	} {
		var flags []uint32
		for _, info := range modeInfos([]mode.Mode{wide, narrow, other}, tc.caps) {
			flags = append(flags, info.Flags)
		}
		if !slices.Equal(flags, tc.flags) {
			t.Errorf("with %+v: flags %#x, want %#x", tc.caps, flags, tc.flags)
		}
	}
}
