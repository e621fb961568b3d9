package conformance

import (
	"math"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
)

var crtcCases = []Case{
	{"crtc/show-and-off", NeedDisplay | NeedDumb, crtcShow},
	{"crtc/errors", NeedDisplay | NeedDumb, crtcErrors},
	{"crtc/connectors", NeedDisplay | NeedDumb, crtcConnectors},
	{"crtc/every-mode", NeedDisplay | NeedDumb, crtcEveryMode},
	{"crtc/bad-modes", NeedDisplay | NeedDumb, crtcBadModes},
	{"crtc/pan", NeedDisplay | NeedDumb, crtcPan},
	{"crtc/keep-framebuffer", NeedDisplay | NeedDumb, crtcKeep},
	{"crtc/client-closes", NeedDisplay | NeedDumb, crtcClientCloses},
	{"crtc/next-master", NeedDisplay | NeedDumb | NeedAdmin, crtcNextMaster},
	{"crtc/attach-mode", NeedModeset | NeedMaster, attachMode},
	{"crtc/second", NeedDisplay | NeedDumb | NeedTwoCRTCs, crtcSecond},
	{"gamma/set-and-get", NeedGamma | NeedDumb, gammaSet},
	{"gamma/errors", NeedGamma, gammaErrors},
}

// crtcShow checks the state of CRTC, encoder and plane while a framebuffer is
// shown, and after the CRTC is switched off.
func crtcShow(t *tester) {
	s := t.Show()
	got := s.GetCRTC()
	equal(t, "the framebuffer of the CRTC", got.FBID, s.FB)
	equal(t, "mode_valid of the CRTC", got.ModeValid, 1)
	equal(t, "the size of the mode", [2]uint16{got.Mode.HDisplay, got.Mode.VDisplay}, [2]uint16{s.Mode.HDisplay, s.Mode.VDisplay})
	equal(t, "the clock of the mode", got.Mode.Clock, s.Mode.Clock)
	c, err := s.GetConnector(s.Connector.ID)
	t.Must("GETCONNECTOR", err)
	encoder := uapi.ModeGetEncoder{EncoderID: c.EncoderID}
	s.Must(uapi.IoctlModeGetEncoder, &encoder)
	equal(t, "the CRTC of the connector's encoder", encoder.CRTCID, s.CRTC)
	plane := uapi.ModeGetPlane{PlaneID: s.Plane(uapi.PlaneTypePrimary)}
	s.Must(uapi.IoctlModeGetPlane, &plane)
	equal(t, "the framebuffer of the plane", plane.FBID, s.FB)
	equal(t, "the CRTC of the plane", plane.CRTCID, s.CRTC)

	s.Want("to disable", uapi.IoctlModeSetCRTC, &uapi.ModeCRTC{CRTCID: s.CRTC})
	got = s.GetCRTC()
	equal(t, "the framebuffer of a disabled CRTC", got.FBID, 0)
	equal(t, "mode_valid of a disabled CRTC", got.ModeValid, 0)
	s.Want("to disable, again", uapi.IoctlModeSetCRTC, &uapi.ModeCRTC{CRTCID: s.CRTC})
}

func crtcErrors(t *tester) {
	s := t.Show()
	small := s.NewFB(64, 64)
	for _, c := range []struct {
		what   string
		change func(*uapi.ModeCRTC)
		errno  unix.Errno
	}{
		{"with x beyond 16 bits", func(a *uapi.ModeCRTC) { a.X = 1 << 16 }, unix.ERANGE},
		{"with y beyond 16 bits", func(a *uapi.ModeCRTC) { a.Y = 1 << 16 }, unix.ERANGE},
		{"of a nonexistent framebuffer", func(a *uapi.ModeCRTC) { a.FBID = 0x7ffffff0 }, unix.ENOENT},
		{"of framebuffer 0", func(a *uapi.ModeCRTC) { a.FBID = 0 }, unix.ENOENT},
		{"of a CRTC's id as framebuffer", func(a *uapi.ModeCRTC) { a.FBID = s.CRTC }, unix.ENOENT},
		{"of a framebuffer smaller than the mode", func(a *uapi.ModeCRTC) { a.FBID = small }, unix.ENOSPC},
		{"from a position outside the framebuffer", func(a *uapi.ModeCRTC) { a.X = 1 }, unix.ENOSPC},
		{"without connectors", func(a *uapi.ModeCRTC) { a.CountConnectors = 0 }, unix.EINVAL},
		{"with connectors but without a mode", func(a *uapi.ModeCRTC) { a.ModeValid = 0 }, unix.EINVAL},
		{"with more connectors than exist", func(a *uapi.ModeCRTC) { a.CountConnectors = 1 << 20 }, unix.EINVAL},
		{"with connectors at a bad address", func(a *uapi.ModeCRTC) { a.SetConnectorsPtr = t.BadAddr() }, unix.EFAULT},
		{"with a nonexistent connector", func(a *uapi.ModeCRTC) { a.SetConnectorsPtr = addr(t, []uint32{0}) }, unix.ENOENT},
		{"with a CRTC's id as connector", func(a *uapi.ModeCRTC) { a.SetConnectorsPtr = addr(t, []uint32{s.CRTC}) }, unix.ENOENT},
	} {
		arg := s.SetCRTC()
		c.change(&arg)
		s.Want(c.what, uapi.IoctlModeSetCRTC, &arg, c.errno)
	}
	equal(t, "the framebuffer after refused requests", s.GetCRTC().FBID, s.FB)
}

func crtcConnectors(t *tester) {
	s := t.Show()
	twice := s.SetCRTC()
	twice.SetConnectorsPtr, twice.CountConnectors = addr(t, []uint32{s.Connector.ID, s.Connector.ID}), 2
	// Older kernels accept a duplicate connector.
	s.Want("with a duplicate connector", uapi.IoctlModeSetCRTC, &twice, 0, unix.EINVAL)
	equal(t, "the framebuffer shown", s.GetCRTC().FBID, s.FB)
}

func crtcEveryMode(t *tester) {
	f := t.Open()
	d := f.Display()
	var width, height uint16
	for _, m := range d.Connector.Modes {
		width, height = max(width, m.HDisplay), max(height, m.VDisplay)
	}
	s := &screen{file: f, Display: d, FB: f.NewFB(uint32(width), uint32(height))}
	for _, m := range d.Connector.Modes {
		s.Mode = m
		arg := s.SetCRTC()
		s.Want("with mode "+unix.ByteSliceToString(m.Name[:]), uapi.IoctlModeSetCRTC, &arg)
		got := s.GetCRTC().Mode
		equal(t, "the size of the mode", [2]uint16{got.HDisplay, got.VDisplay}, [2]uint16{m.HDisplay, m.VDisplay})
	}
}

// crtcBadModes checks that invalid modes are refused.
func crtcBadModes(t *tester) {
	s := t.Show()
	for what, change := range map[string]func(*uapi.ModeInfo){
		"with clock 0":                     func(m *uapi.ModeInfo) { m.Clock = 0 },
		"with hdisplay 0":                  func(m *uapi.ModeInfo) { m.HDisplay = 0 },
		"with vdisplay 0":                  func(m *uapi.ModeInfo) { m.VDisplay = 0 },
		"with htotal below hdisplay":       func(m *uapi.ModeInfo) { m.HTotal = m.HDisplay - 1 },
		"with hsync_start below hdisplay":  func(m *uapi.ModeInfo) { m.HSyncStart = m.HDisplay - 1 },
		"with hsync_end below hsync_start": func(m *uapi.ModeInfo) { m.HSyncEnd = m.HSyncStart - 1 },
		"with vtotal below vsync_end":      func(m *uapi.ModeInfo) { m.VTotal = m.VSyncEnd - 1 },
		"of an unknown type":               func(m *uapi.ModeInfo) { m.Type = 1 << 30 },
		"with all flags":                   func(m *uapi.ModeInfo) { m.Flags = math.MaxUint32 },
		"with an unknown flag":             func(m *uapi.ModeInfo) { m.Flags |= 1 << 26 },
		"with an unknown 3D layout":        func(m *uapi.ModeInfo) { m.Flags |= uapi.ModeFlag3DMask },
	} {
		arg := s.SetCRTC()
		change(&arg.Mode)
		if what == "of an unknown type" { // which some kernels ignore
			s.Want("with a mode "+what, uapi.IoctlModeSetCRTC, &arg, unix.EINVAL, 0)
			continue
		}
		s.Want("with a mode "+what, uapi.IoctlModeSetCRTC, &arg, unix.EINVAL)
	}
	for what, change := range map[string]func(*uapi.ModeInfo){
		"with a clock beyond 31 bits":        func(m *uapi.ModeInfo) { m.Clock = math.MaxUint32 },
		"with a refresh rate beyond 31 bits": func(m *uapi.ModeInfo) { m.VRefresh = math.MaxUint32 },
	} {
		arg := s.SetCRTC()
		change(&arg.Mode)
		s.Want("with a mode "+what, uapi.IoctlModeSetCRTC, &arg, unix.ERANGE)
	}
	equal(t, "the framebuffer after refused requests", s.GetCRTC().FBID, s.FB)
}

// crtcPan checks that SETCRTC can show any part of a framebuffer larger than
// the mode.
func crtcPan(t *tester) {
	s := t.Show()
	fb := s.NewFB(uint32(s.Mode.HDisplay)+64, uint32(s.Mode.VDisplay)+32)
	arg := s.SetCRTC()
	arg.FBID, arg.X, arg.Y = fb, 64, 32
	s.Want("at the far corner of a larger framebuffer", uapi.IoctlModeSetCRTC, &arg)
	got := s.GetCRTC()
	equal(t, "the position in the framebuffer", [2]uint32{got.X, got.Y}, [2]uint32{64, 32})
	arg.Y = 33
	s.Want("beyond the far corner", uapi.IoctlModeSetCRTC, &arg, unix.ENOSPC)
}

// crtcKeep checks that -1 stands for the current framebuffer.
func crtcKeep(t *tester) {
	s := t.Show()
	arg := s.SetCRTC()
	arg.FBID = math.MaxUint32
	s.Want("of the current framebuffer", uapi.IoctlModeSetCRTC, &arg)
	equal(t, "the framebuffer shown", s.GetCRTC().FBID, s.FB)
	s.Must(uapi.IoctlModeSetCRTC, &uapi.ModeCRTC{CRTCID: s.CRTC})
	s.Want("of the current framebuffer, when there is none", uapi.IoctlModeSetCRTC, &arg, unix.EINVAL)
}

// crtcClientCloses checks that a framebuffer is no longer shown after its file
// is closed.
func crtcClientCloses(t *tester) {
	s := t.Show()
	other := t.Open()
	t.Must("close", s.Close())
	arg := uapi.ModeCRTC{CRTCID: s.CRTC}
	other.Must(uapi.IoctlModeGetCRTC, &arg)
	if arg.FBID == s.FB { // a console may show another one
		t.Errorf("framebuffer %d of a closed file is still shown", s.FB)
	}
}

// crtcNextMaster checks that a change of the master leaves the picture alone.
func crtcNextMaster(t *tester) {
	s := t.Show()
	other := t.Open()
	s.Must(uapi.IoctlDropMaster, nil)
	other.Must(uapi.IoctlSetMaster, nil)
	equal(t, "the framebuffer shown under another master", s.GetCRTC().FBID, s.FB)
	arg := s.SetCRTC()
	s.Want("as former master", uapi.IoctlModeSetCRTC, &arg, unix.EACCES)
	mine := other.NewFB(uint32(s.Mode.HDisplay), uint32(s.Mode.VDisplay))
	arg.FBID = mine
	other.Want("as new master", uapi.IoctlModeSetCRTC, &arg)
	equal(t, "the framebuffer shown", s.GetCRTC().FBID, mine)
}

// attachMode checks that the obsolete ATTACHMODE and DETACHMODE do nothing.
func attachMode(t *tester) {
	f := t.Open()
	f.Want("", uapi.IoctlModeAttachMode, &uapi.ModeModeCmd{})
	f.Want("", uapi.IoctlModeDetachMode, &uapi.ModeModeCmd{})
}

// crtcSecond checks that CRTCs are independent.
func crtcSecond(t *tester) {
	s := t.Show()
	for pipe, id := range s.MustResources().CRTCs {
		if id == s.CRTC {
			continue
		}
		other := *s.Display
		other.CRTC, other.Pipe = id, pipe
		t.Want("SETPLANE of a plane of another CRTC", s.ShowOnPlane(s.Plane(uapi.PlaneTypePrimary), id), unix.EINVAL)
		moved := &screen{file: s.file, Display: &other, FB: s.Another()}
		encoder := uapi.ModeGetEncoder{EncoderID: s.Encoder}
		s.Must(uapi.IoctlModeGetEncoder, &encoder)
		if encoder.PossibleCRTCs&(1<<pipe) == 0 {
			continue
		}
		// A connector that moves to another CRTC leaves the old one disabled.
		arg := moved.SetCRTC()
		s.Want("with the connector of another CRTC", uapi.IoctlModeSetCRTC, &arg)
		equal(t, "the framebuffer of the CRTC with the connector", moved.GetCRTC().FBID, moved.FB)
		equal(t, "mode_valid of the CRTC without a connector", s.GetCRTC().ModeValid, 0)
		back := s.SetCRTC()
		s.Must(uapi.IoctlModeSetCRTC, &back)
		equal(t, "the framebuffer of the first CRTC", s.GetCRTC().FBID, s.FB)
		s.Want("to disable a disabled CRTC", uapi.IoctlModeSetCRTC, &uapi.ModeCRTC{CRTCID: id})
		equal(t, "the framebuffer of the first CRTC after the other is disabled", s.GetCRTC().FBID, s.FB)
	}
}

// ShowOnPlane shows the screen's framebuffer on a plane.
func (s *screen) ShowOnPlane(plane, crtc uint32) error {
	w, h := uint32(s.Mode.HDisplay), uint32(s.Mode.VDisplay)
	return s.Ioctl(uapi.IoctlModeSetPlane, &uapi.ModeSetPlane{
		PlaneID: plane, CRTCID: crtc, FBID: s.FB, CRTCW: w, CRTCH: h, SrcW: w << 16, SrcH: h << 16,
	})
}

// ramps returns a legacy gamma request and its three tables.
func (s *screen) ramps() (arg uapi.ModeCRTCLUT, tables [3][]uint16) {
	s.t.Helper()
	n := s.GetCRTC().GammaSize
	for i := range tables {
		tables[i] = make([]uint16, n)
	}
	return uapi.ModeCRTCLUT{
		CRTCID: s.CRTC, GammaSize: n,
		Red: addr(s.t, tables[0]), Green: addr(s.t, tables[1]), Blue: addr(s.t, tables[2]),
	}, tables
}

func gammaSet(t *tester) {
	s := t.Show()
	set, tables := s.ramps()
	for i, table := range tables {
		for j := range table {
			table[j] = uint16(j * 65535 / (len(table) - 1) >> i)
		}
	}
	s.Want("", uapi.IoctlModeSetGamma, &set)
	defer func() { // restore the default
		for i := range tables[0] {
			tables[0][i] = uint16(i * 65535 / (len(tables[0]) - 1))
		}
		set.Green, set.Blue = set.Red, set.Red
		s.Want("to a straight line", uapi.IoctlModeSetGamma, &set)
	}()
	get, got := s.ramps()
	s.Want("", uapi.IoctlModeGetGamma, &get)
	for i := range got {
		if !slices.Equal(got[i], tables[i]) {
			t.Errorf("table %d differs from the one that was set", i)
		}
	}
}

func gammaErrors(t *tester) {
	f := t.Open()
	s := &screen{file: f, Display: f.Display()}
	for _, cmd := range []uint32{uapi.IoctlModeGetGamma, uapi.IoctlModeSetGamma} {
		for what, change := range map[string]func(*uapi.ModeCRTCLUT){
			"of size 0":           func(a *uapi.ModeCRTCLUT) { a.GammaSize = 0 },
			"one too short":       func(a *uapi.ModeCRTCLUT) { a.GammaSize-- },
			"one too long":        func(a *uapi.ModeCRTCLUT) { a.GammaSize++ },
			"of the largest size": func(a *uapi.ModeCRTCLUT) { a.GammaSize = math.MaxUint32 },
		} {
			arg, _ := s.ramps()
			change(&arg)
			s.Want("with tables "+what, cmd, &arg, unix.EINVAL)
		}
		for what, change := range map[string]func(*uapi.ModeCRTCLUT){
			"red":   func(a *uapi.ModeCRTCLUT) { a.Red = t.BadAddr() },
			"green": func(a *uapi.ModeCRTCLUT) { a.Green = t.BadAddr() },
			"blue":  func(a *uapi.ModeCRTCLUT) { a.Blue = t.BadAddr() },
		} {
			arg, _ := s.ramps()
			change(&arg)
			s.Want("with the table of "+what+" at a bad address", cmd, &arg, unix.EFAULT)
		}
	}
}
