package kms_test

import (
	"testing"

	"github.com/udrm/udrm/drm/edid"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/mode"
	"github.com/udrm/udrm/drm/uapi"
)

func TestMonitorFromEDID(t *testing.T) {
	described := edid.Monitor{Name: "Test", WidthMM: 597, HeightMM: 336}
	for _, w := range []int{1920, 1280, 1024} {
		m, err := mode.For(w, map[int]int{1920: 1080, 1280: 720, 1024: 768}[w], 60)
		if err != nil {
			t.Fatal(err)
		}
		described.Modes = append(described.Modes, m)
	}
	data, err := described.Encode()
	if err != nil {
		t.Fatal(err)
	}
	m, err := kms.MonitorFromEDID(data)
	if err != nil {
		t.Fatal(err)
	}
	const positive, negative = uapi.ModeFlagPHSync | uapi.ModeFlagPVSync, uapi.ModeFlagNHSync | uapi.ModeFlagNVSync
	want := []mode.Mode{
		{Name: "1920x1080", Clock: 148500, HDisplay: 1920, HSyncStart: 2008, HSyncEnd: 2052, HTotal: 2200,
			VDisplay: 1080, VSyncStart: 1084, VSyncEnd: 1089, VTotal: 1125, Flags: positive, Type: uapi.ModeTypeDriver | uapi.ModeTypePreferred},
		{Name: "1280x720", Clock: 74250, HDisplay: 1280, HSyncStart: 1390, HSyncEnd: 1430, HTotal: 1650,
			VDisplay: 720, VSyncStart: 725, VSyncEnd: 730, VTotal: 750, Flags: positive, Type: uapi.ModeTypeDriver},
		{Name: "1024x768", Clock: 65000, HDisplay: 1024, HSyncStart: 1048, HSyncEnd: 1184, HTotal: 1344,
			VDisplay: 768, VSyncStart: 771, VSyncEnd: 777, VTotal: 806, Flags: negative, Type: uapi.ModeTypeDriver},
	}
	if m.WidthMM != 600 || m.HeightMM != 340 || len(m.Modes) != len(want) {
		t.Fatalf("%+v", m)
	}
	for i := range want {
		if m.Modes[i] != want[i] {
			t.Errorf("got  %+v\nwant %+v", m.Modes[i], want[i])
		}
	}
	if _, err := kms.MonitorFromEDID(data[:127]); err == nil {
		t.Error("a part of an EDID is taken for one")
	}
}
