package vkms_test

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/internal/kmsclient"
)

// An oracle is what drm_info -j printed of the kernel's vkms, while the console
// showed a framebuffer.
type oracle struct {
	Driver struct {
		Name, Desc string
		Version    struct {
			Major, Minor, Patch int
			Date                string
		}
		Caps map[string]uint64
	}
	FBSize struct {
		MinWidth  uint32 `json:"min_width"`
		MaxWidth  uint32 `json:"max_width"`
		MinHeight uint32 `json:"min_height"`
		MaxHeight uint32 `json:"max_height"`
	} `json:"fb_size"`
	Connectors []struct {
		ID, Type, Status, Subpixel uint32
		EncoderID                  uint32 `json:"encoder_id"`
		Encoders                   []uint32
		Modes                      []modeJSON
		Properties                 properties
	}
	Encoders []struct {
		ID, Type       uint32
		CRTCID         uint32 `json:"crtc_id"`
		PossibleCRTCs  uint32 `json:"possible_crtcs"`
		PossibleClones uint32 `json:"possible_clones"`
	}
	CRTCs []struct {
		ID         uint32
		FBID       uint32 `json:"fb_id"`
		X, Y       uint32
		Mode       modeJSON
		GammaSize  uint32 `json:"gamma_size"`
		Properties properties
	}
	Planes []struct {
		ID            uint32
		PossibleCRTCs uint32 `json:"possible_crtcs"`
		CRTCID        uint32 `json:"crtc_id"`
		FBID          uint32 `json:"fb_id"`
		Formats       []uint32
		Properties    properties
	}
}

type modeJSON struct {
	Clock                   uint32
	HDisplay                uint16
	HSyncStart              uint16 `json:"hsync_start"`
	HSyncEnd                uint16 `json:"hsync_end"`
	HTotal, HSkew, VDisplay uint16
	VSyncStart              uint16 `json:"vsync_start"`
	VSyncEnd                uint16 `json:"vsync_end"`
	VTotal, VScan           uint16
	VRefresh, Flags, Type   uint32
	Name                    string
}

func (m *modeJSON) of(i *uapi.ModeInfo) modeJSON {
	return modeJSON{
		Clock: i.Clock, HDisplay: i.HDisplay, HSyncStart: i.HSyncStart, HSyncEnd: i.HSyncEnd, HTotal: i.HTotal, HSkew: i.HSkew,
		VDisplay: i.VDisplay, VSyncStart: i.VSyncStart, VSyncEnd: i.VSyncEnd, VTotal: i.VTotal, VScan: i.VScan,
		VRefresh: i.VRefresh, Flags: i.Flags, Type: i.Type, Name: unix.ByteSliceToString(i.Name[:]),
	}
}

// properties are the properties of an object, in its order.
type properties []kmsclient.Property

// UnmarshalJSON implements [json.Unmarshaler]. It keeps the order of the file.
func (p *properties) UnmarshalJSON(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	if _, err := d.Token(); err != nil { // {
		return err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		var one struct {
			ID, Flags uint32
			Value     uint64 `json:"raw_value"`
		}
		if err := d.Decode(&one); err != nil {
			return err
		}
		*p = append(*p, kmsclient.Property{Name: name.(string), ID: one.ID, Flags: one.Flags, Value: one.Value})
	}
	return nil
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, the kernel has %v", what, got, want)
	}
}

func equalLists[T comparable](t *testing.T, what string, got, want []T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n%v, the kernel has\n%v", what, got, want)
	}
}

// TestAnswersAsTheKernel checks that the device answers as the kernel's, to the
// last object id.
func TestAnswersAsTheKernel(t *testing.T) {
	overlays := vkms.ConfigOf(drm.Linux72)
	overlays.Overlay, overlays.PlanePipeline = true, true
	for _, tc := range []struct {
		file   string
		config vkms.Config
	}{
		{"6.12/drm_info.json", vkms.ConfigOf(drm.Linux612)},
		{"7.2/drm_info.json", vkms.ConfigOf(drm.Linux72)},
		{"7.2/drm_info-pipeline.json", overlays},
	} {
		t.Run(tc.file, func(t *testing.T) {
			data, err := os.ReadFile("testdata/" + tc.file)
			if err != nil {
				t.Fatal(err)
			}
			var nodes map[string]oracle
			if err := json.Unmarshal(data, &nodes); err != nil {
				t.Fatal(err)
			}
			console, driver, _ := newClient(t, tc.config)
			if !tc.config.Console {
				showConsole(console)
			}
			compareWithKernel(t, openClient(t, driver), driver, nodes["/dev/dri/card0"])
		})
	}
}

// compareWithKernel compares what a client finds with what drm_info found.
func compareWithKernel(t *testing.T, c client, driver *vkms.Driver, kernel oracle) {
	for _, capability := range []uint64{uapi.ClientCapAtomic, uapi.ClientCapWritebackConnectors, uapi.ClientCapStereo3D} {
		c.must(c.SetClientCap(capability, 1))
	}

	info := driver.Device().Driver().Info
	equal(t, "name", info.Name, kernel.Driver.Name)
	equal(t, "description", info.Desc, kernel.Driver.Desc)
	equal(t, "date", info.Date, kernel.Driver.Version.Date)
	equal(t, "version", [3]int{info.Major, info.Minor, info.Patchlevel},
		[3]int{kernel.Driver.Version.Major, kernel.Driver.Version.Minor, kernel.Driver.Version.Patch})
	caps := map[string]uint64{
		"DUMB_BUFFER": uapi.CapDumbBuffer, "VBLANK_HIGH_CRTC": uapi.CapVblankHighCRTC, "DUMB_PREFERRED_DEPTH": uapi.CapDumbPreferredDepth,
		"DUMB_PREFER_SHADOW": uapi.CapDumbPreferShadow, "PRIME": uapi.CapPrime, "TIMESTAMP_MONOTONIC": uapi.CapTimestampMonotonic,
		"ASYNC_PAGE_FLIP": uapi.CapAsyncPageFlip, "CURSOR_WIDTH": uapi.CapCursorWidth, "CURSOR_HEIGHT": uapi.CapCursorHeight,
		"ADDFB2_MODIFIERS": uapi.CapAddFB2Modifiers, "PAGE_FLIP_TARGET": uapi.CapPageFlipTarget,
		"CRTC_IN_VBLANK_EVENT": uapi.CapCRTCInVblankEvent, "SYNCOBJ": uapi.CapSyncobj, "SYNCOBJ_TIMELINE": uapi.CapSyncobjTimeline,
	}
	for name, want := range kernel.Driver.Caps {
		value, err := c.Cap(caps[name])
		c.must(err)
		equal(t, name, value, want)
	}

	var limits uapi.ModeCardRes
	do(c, uapi.IoctlModeGetResources, &limits)
	equal(t, "framebuffers of the client", limits.CountFBs, 0)
	equal(t, "limits", [4]uint32{limits.MinWidth, limits.MaxWidth, limits.MinHeight, limits.MaxHeight},
		[4]uint32{kernel.FBSize.MinWidth, kernel.FBSize.MaxWidth, kernel.FBSize.MinHeight, kernel.FBSize.MaxHeight})
	res, err := c.Resources()
	c.must(err)
	planes, err := c.Planes()
	c.must(err)
	equal(t, "how many objects", [4]int{len(res.CRTCs), len(res.Connectors), len(res.Encoders), len(planes)},
		[4]int{len(kernel.CRTCs), len(kernel.Connectors), len(kernel.Encoders), len(kernel.Planes)})
	if t.Failed() {
		return
	}

	for i, want := range kernel.Connectors {
		// As drm_info does, without probing: the client is not master.
		got, err := c.GetConnector(res.Connectors[i])
		c.must(err)
		equal(t, "connector", [5]uint32{got.ID, got.Type, got.Connection, got.EncoderID, got.TypeID},
			[5]uint32{want.ID, want.Type, want.Status, want.EncoderID, 1})
		equalLists(t, "its encoders", got.Encoders, want.Encoders)
		equalLists(t, "its properties", c.properties(got.ID), want.Properties)
		var list []modeJSON
		for _, m := range got.Modes {
			list = append(list, (*modeJSON)(nil).of(&m))
		}
		equalLists(t, "its modes", list, want.Modes)
	}
	for i, want := range kernel.Encoders {
		arg := uapi.ModeGetEncoder{EncoderID: res.Encoders[i]}
		do(c, uapi.IoctlModeGetEncoder, &arg)
		equal(t, "encoder", [5]uint32{arg.EncoderID, arg.EncoderType, arg.CRTCID, arg.PossibleCRTCs, arg.PossibleClones},
			[5]uint32{want.ID, want.Type, want.CRTCID, want.PossibleCRTCs, want.PossibleClones})
	}
	for i, want := range kernel.CRTCs {
		got, err := c.GetCRTC(res.CRTCs[i])
		c.must(err)
		equal(t, "CRTC", [5]uint32{got.CRTCID, got.FBID, got.X, got.Y, got.GammaSize},
			[5]uint32{want.ID, want.FBID, want.X, want.Y, want.GammaSize})
		equal(t, "its mode", (*modeJSON)(nil).of(&got.Mode), want.Mode)
		equalLists(t, "its properties", c.properties(got.CRTCID), want.Properties)
	}
	for i, want := range kernel.Planes {
		got, err := c.GetPlane(planes[i])
		c.must(err)
		formats, err := c.PlaneFormats(planes[i])
		c.must(err)
		equal(t, "plane", [4]uint32{got.PlaneID, got.PossibleCRTCs, got.CRTCID, got.FBID},
			[4]uint32{want.ID, want.PossibleCRTCs, want.CRTCID, want.FBID})
		equalLists(t, "its formats", formats, want.Formats)
		equalLists(t, "its properties", c.properties(got.PlaneID), want.Properties)
	}
}

// TestProbeOfWriteback checks that a forced probe by the master makes the
// writeback connector connected, with all modes and none of them preferred.
func TestProbeOfWriteback(t *testing.T) {
	for kernel, writeback := range map[drm.Kernel]uint32{drm.Linux612: 46, drm.Linux72: 47} {
		c, driver, _ := newClient(t, vkms.ConfigOf(kernel))
		got, err := openClient(t, driver).GetConnector(writeback)
		c.must(err)
		if got.Connection != uapi.ModeUnknownConnection || len(got.Modes) != 0 {
			t.Errorf("%s: asked by another client: %+v", kernel, got)
		}
		got, err = c.GetConnector(writeback)
		c.must(err)
		if got.Connection != uapi.ModeConnected || len(got.Modes) != 34 || got.Modes[0].HDisplay != 4096 {
			t.Errorf("%s: asked by the master: %+v", kernel, got)
		}
	}
}

func TestConfigs(t *testing.T) {
	for _, tc := range []struct {
		config             vkms.Config
		planes, connectors int
	}{
		{vkms.Config{}, 1, 1},
		{vkms.DefaultConfig(), 2, 2},
		{vkms.Config{Cursor: true, Overlay: true}, 10, 1},
	} {
		tc.config.Clock = new(kms.ManualClock)
		_, driver, _ := newClient(t, tc.config)
		m := driver.ModeConfig()
		if len(m.Planes()) != tc.planes || len(m.Connectors()) != tc.connectors {
			t.Errorf("%+v has %d planes and %d connectors", tc.config, len(m.Planes()), len(m.Connectors()))
		}
	}
}
