package vkms_test

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"testing"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
)

// The answers of the kernel's vkms, as drm_info -j printed them on Linux 6.12
// while the console showed a framebuffer.
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
		VRefresh: i.VRefresh, Flags: i.Flags, Type: i.Type, Name: cString(i.Name[:]),
	}
}

// properties are those of an object, in order.
type properties []property

type property struct {
	Name  string
	ID    uint32
	Flags uint32
	Value uint64 `json:"raw_value"`
}

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
		var one property
		if err := d.Decode(&one); err != nil {
			return err
		}
		one.Name = name.(string)
		*p = append(*p, one)
	}
	return nil
}

func cString(b []byte) string {
	s, _, _ := bytes.Cut(b, []byte{0})
	return string(s)
}

// A client looks at the device through ioctls only.
type client struct {
	*testing.T
	*drmtest.Client
}

func do[T any](c client, cmd uint32, arg *T) {
	c.Helper()
	if err := drmtest.Ioctl(c.Client, cmd, arg); err != nil {
		c.Fatalf("%s: %v", uapi.IoctlName(cmd), err)
	}
}

func array[T any](c client, n uint32, ptr *uint64) (read func() []T) {
	s := make([]T, n)
	*ptr = drmtest.PutSlice(c.Arena, s)
	return func() []T {
		if err := drmtest.GetSlice(c.Arena, s, *ptr); err != nil {
			c.Fatal(err)
		}
		return s
	}
}

func (c client) properties(id uint32) properties {
	c.Helper()
	arg := uapi.ModeObjGetProperties{ObjID: id}
	do(c, uapi.IoctlModeObjGetProperties, &arg)
	ids, values := array[uint32](c, arg.CountProps, &arg.PropsPtr), array[uint64](c, arg.CountProps, &arg.PropValuesPtr)
	do(c, uapi.IoctlModeObjGetProperties, &arg)
	var list properties
	for i, id := range ids() {
		p := uapi.ModeGetProperty{PropID: id}
		do(c, uapi.IoctlModeGetProperty, &p)
		list = append(list, property{Name: cString(p.Name[:]), ID: id, Flags: p.Flags, Value: values()[i]})
	}
	return list
}

// newClient opens the device of a new driver.
func newClient(t *testing.T, config vkms.Config) (client, *vkms.Driver, *bus.Device) {
	driver := vkms.NewDriver(drm.NewClass(), config)
	parent := drmtest.Bind(t, bus.New("platform"), "vkms", driver)
	return client{t, drmtest.Open(t, driver.Device().Primary())}, driver, parent
}

// showConsole shows a framebuffer, as the console does.
func showConsole(c client) {
	c.Helper()
	dumb := uapi.ModeCreateDumb{Width: 1024, Height: 768, BPP: 32}
	do(c, uapi.IoctlModeCreateDumb, &dumb)
	fb := uapi.ModeFBCmd{Width: 1024, Height: 768, Pitch: dumb.Pitch, BPP: 32, Depth: 24, Handle: dumb.Handle}
	do(c, uapi.IoctlModeAddFB, &fb)
	connector := uapi.ModeGetConnector{ConnectorID: 39}
	do(c, uapi.IoctlModeGetConnector, &connector)
	modes := array[uapi.ModeInfo](c, connector.CountModes, &connector.ModesPtr)
	connector.CountEncoders, connector.CountProps = 0, 0
	do(c, uapi.IoctlModeGetConnector, &connector)
	do(c, uapi.IoctlModeSetCRTC, &uapi.ModeCRTC{
		CRTCID: 38, FBID: fb.FBID, ModeValid: 1, Mode: modes()[0],
		CountConnectors: 1, SetConnectorsPtr: drmtest.PutSlice(c.Arena, []uint32{39}),
	})
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

// The device answers as the kernel's, to the last object id.
func TestAnswersAsTheKernel(t *testing.T) {
	data, err := os.ReadFile("testdata/drm_info.json")
	if err != nil {
		t.Fatal(err)
	}
	var kernel oracle
	if err := json.Unmarshal(data, &kernel); err != nil {
		t.Fatal(err)
	}
	console, driver, _ := newClient(t, vkms.DefaultConfig())
	showConsole(console)
	c := client{t, drmtest.Open(t, driver.Device().Primary())}
	for _, capability := range []uint64{uapi.ClientCapAtomic, uapi.ClientCapWritebackConnectors, uapi.ClientCapStereo3D} {
		do(c, uapi.IoctlSetClientCap, &uapi.SetClientCap{Capability: capability, Value: 1})
	}

	info := driver.Info()
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
		arg := uapi.GetCap{Capability: caps[name]}
		do(c, uapi.IoctlGetCap, &arg)
		equal(t, name, arg.Value, want)
	}

	res := uapi.ModeCardRes{}
	do(c, uapi.IoctlModeGetResources, &res)
	equal(t, "framebuffers of the client", res.CountFBs, 0)
	crtcs, connectors := array[uint32](c, res.CountCRTCs, &res.CRTCIDPtr), array[uint32](c, res.CountConnectors, &res.ConnectorIDPtr)
	encoders := array[uint32](c, res.CountEncoders, &res.EncoderIDPtr)
	do(c, uapi.IoctlModeGetResources, &res)
	equal(t, "limits", [4]uint32{res.MinWidth, res.MaxWidth, res.MinHeight, res.MaxHeight},
		[4]uint32{kernel.FBSize.MinWidth, kernel.FBSize.MaxWidth, kernel.FBSize.MinHeight, kernel.FBSize.MaxHeight})
	planeRes := uapi.ModeGetPlaneRes{}
	do(c, uapi.IoctlModeGetPlaneResources, &planeRes)
	planes := array[uint32](c, planeRes.CountPlanes, &planeRes.PlaneIDPtr)
	do(c, uapi.IoctlModeGetPlaneResources, &planeRes)
	equal(t, "how many objects", [4]int{len(crtcs()), len(connectors()), len(encoders()), len(planes())},
		[4]int{len(kernel.CRTCs), len(kernel.Connectors), len(kernel.Encoders), len(kernel.Planes)})
	if t.Failed() {
		return
	}

	for i, want := range kernel.Connectors {
		// As drm_info does, without probing: not having the master is enough.
		arg := uapi.ModeGetConnector{ConnectorID: connectors()[i]}
		do(c, uapi.IoctlModeGetConnector, &arg)
		modes, ids := array[uapi.ModeInfo](c, arg.CountModes, &arg.ModesPtr), array[uint32](c, arg.CountEncoders, &arg.EncodersPtr)
		arg.CountProps = 0
		do(c, uapi.IoctlModeGetConnector, &arg)
		equal(t, "connector", [5]uint32{arg.ConnectorID, arg.ConnectorType, arg.Connection, arg.EncoderID, arg.ConnectorTypeID},
			[5]uint32{want.ID, want.Type, want.Status, want.EncoderID, 1})
		equalLists(t, "its encoders", ids(), want.Encoders)
		equalLists(t, "its properties", c.properties(arg.ConnectorID), want.Properties)
		var list []modeJSON
		for _, m := range modes() {
			list = append(list, (*modeJSON)(nil).of(&m))
		}
		equalLists(t, "its modes", list, want.Modes)
	}
	for i, want := range kernel.Encoders {
		arg := uapi.ModeGetEncoder{EncoderID: encoders()[i]}
		do(c, uapi.IoctlModeGetEncoder, &arg)
		equal(t, "encoder", [5]uint32{arg.EncoderID, arg.EncoderType, arg.CRTCID, arg.PossibleCRTCs, arg.PossibleClones},
			[5]uint32{want.ID, want.Type, want.CRTCID, want.PossibleCRTCs, want.PossibleClones})
	}
	for i, want := range kernel.CRTCs {
		arg := uapi.ModeCRTC{CRTCID: crtcs()[i]}
		do(c, uapi.IoctlModeGetCRTC, &arg)
		equal(t, "CRTC", [5]uint32{arg.CRTCID, arg.FBID, arg.X, arg.Y, arg.GammaSize},
			[5]uint32{want.ID, want.FBID, want.X, want.Y, want.GammaSize})
		equal(t, "its mode", (*modeJSON)(nil).of(&arg.Mode), want.Mode)
		equalLists(t, "its properties", c.properties(arg.CRTCID), want.Properties)
	}
	for i, want := range kernel.Planes {
		arg := uapi.ModeGetPlane{PlaneID: planes()[i]}
		do(c, uapi.IoctlModeGetPlane, &arg)
		formats := array[uint32](c, arg.CountFormatTypes, &arg.FormatTypePtr)
		do(c, uapi.IoctlModeGetPlane, &arg)
		equal(t, "plane", [4]uint32{arg.PlaneID, arg.PossibleCRTCs, arg.CRTCID, arg.FBID},
			[4]uint32{want.ID, want.PossibleCRTCs, want.CRTCID, want.FBID})
		equalLists(t, "its formats", formats(), want.Formats)
		equalLists(t, "its properties", c.properties(arg.PlaneID), want.Properties)
	}
}

// A forced probe by the master makes the writeback connector connected, and
// gives it the modes without a preferred one.
func TestProbeOfWriteback(t *testing.T) {
	c, driver, _ := newClient(t, vkms.DefaultConfig())
	other := client{t, drmtest.Open(t, driver.Device().Primary())}
	ask := func(c client) uapi.ModeGetConnector {
		arg := uapi.ModeGetConnector{ConnectorID: 46}
		do(c, uapi.IoctlModeGetConnector, &arg)
		return arg
	}
	if arg := ask(other); arg.Connection != uapi.ModeUnknownConnection || arg.CountModes != 0 {
		t.Errorf("%+v", arg)
	}
	arg := ask(c)
	modes := array[uapi.ModeInfo](c, arg.CountModes, &arg.ModesPtr)
	arg.CountEncoders, arg.CountProps = 0, 0
	do(c, uapi.IoctlModeGetConnector, &arg)
	if arg.Connection != uapi.ModeConnected || len(modes()) != 34 || modes()[0].HDisplay != 4096 {
		t.Errorf("%+v, first mode %+v", arg, modes()[0])
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
