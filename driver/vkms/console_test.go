package vkms_test

import (
	"testing"

	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/internal/kmsclient"
)

// shown returns what a CRTC shows: its mode and framebuffer.
func shown(m *kms.ModeConfig, crtc int) (width uint16, active bool, fb uint32) {
	s := m.State()
	c := m.CRTCs()[crtc]
	for _, p := range m.Planes() {
		if ps := s.Plane(p); ps.CRTC == c && ps.FB != nil && p.Type() == uapi.PlaneTypePrimary {
			fb = ps.FB.ID()
		}
	}
	return s.CRTC(c).Mode.HDisplay, s.CRTC(c).Active, fb
}

// TestConsole checks that the console lights the display while no client is
// master, and gives way to one.
func TestConsole(t *testing.T) {
	config := vkms.ConfigOf(drm.Linux72)
	driver, _ := bind(t, config)
	m := driver.ModeConfig()
	lit := func(when string, wantFB uint32) {
		t.Helper()
		if width, active, fb := shown(m, 0); width != 1024 || !active || fb != wantFB {
			t.Errorf("%s: mode of %d, active %v, framebuffer %d, want %d", when, width, active, fb, wantFB)
		}
	}
	const console = 54
	lit("without a client", console)

	file := drmtest.Open(t, driver.Device().Primary())
	c := client{t, kmsclient.New(file.Process())}
	lit("a client has the card open", console)
	resources, err := c.Resources()
	c.must(err)
	cursor := c.picture()
	plane := m.Planes()[1]
	do(c, uapi.IoctlModeSetPlane, &uapi.ModeSetPlane{
		PlaneID: plane.ID(), CRTCID: resources.CRTCs[0], FBID: cursor,
		CRTCW: 1024, CRTCH: 768, SrcW: 1024 << 16, SrcH: 768 << 16,
	})
	fb := c.picture()
	d, err := c.Display()
	c.must(err)
	c.must(c.SetCRTC(d, fb, d.Modes[len(d.Modes)-1]))
	if width, _, shows := shown(m, 0); width == 1024 || shows != fb {
		t.Errorf("the master shows framebuffer %d in a mode of %d", shows, width)
	}
	c.must(driver.Hotplug("Virtual-1", uapi.ModeDisconnected, nil))
	c.must(driver.Hotplug("Virtual-1", uapi.ModeConnected, nil))
	if _, _, shows := shown(m, 0); shows != fb {
		t.Errorf("after a hot-plug the master's framebuffer is gone: %d", shows)
	}
	c.must(file.File.Close())
	lit("the master has gone", console)
	if s := m.State().Plane(plane); s.FB != nil {
		t.Errorf("the cursor of the master is still shown: %d", s.FB.ID())
	}

	c.must(driver.Hotplug("Virtual-1", uapi.ModeDisconnected, nil))
	if _, active, _ := shown(m, 0); active {
		t.Error("lit without a monitor")
	}
	c.must(driver.Hotplug("Virtual-1", uapi.ModeConnected, nil))
	lit("the monitor is back", console)
}

// TestConsoleOfMonitors checks that the console shows the same framebuffer on all
// monitors, each on a CRTC of its own, and leaves out a headset.
func TestConsoleOfMonitors(t *testing.T) {
	config := vkms.ConfigOf(drm.Linux72)
	config.Topology = vkms.NewTopology(3, []vkms.Connector{
		{Name: "headset", Monitor: &kms.Monitor{NonDesktop: true}},
		{Name: "left"}, {Name: "right"},
	}, &config)
	// The first CRTC can feed the last connector only.
	config.Topology.Encoders[0].PossibleCRTCs = 7
	config.Topology.Encoders[1].PossibleCRTCs = 3
	config.Topology.Encoders[2].PossibleCRTCs = 1
	driver, _ := bind(t, config)
	m := driver.ModeConfig()
	s := m.State()
	for i, want := range map[int]string{0: "Virtual-3", 1: "Virtual-2", 2: ""} {
		got := ""
		for _, c := range m.Connectors() {
			if s.Connector(c).CRTC == m.CRTCs()[i] {
				got = c.Name()
			}
		}
		if _, active, _ := shown(m, i); got != want || active != (want != "") {
			t.Errorf("CRTC %d feeds %q, active %v; want %q", i, got, active, want)
		}
	}
}

// TestConsoleOrder checks that the console gives the first connector the first CRTC.
func TestConsoleOrder(t *testing.T) {
	config := vkms.ConfigOf(drm.Linux72)
	config.Topology = vkms.NewTopology(3, []vkms.Connector{{}, {}, {}}, &config)
	driver, _ := bind(t, config)
	m := driver.ModeConfig()
	i := 0
	for _, c := range m.Connectors() {
		if c.Config().Type != uapi.ModeConnectorVirtual {
			continue
		}
		if got := m.State().Connector(c).CRTC; got != m.CRTCs()[i] {
			t.Errorf("connector %d is on CRTC %v", i, got)
		}
		i++
	}
}

// TestNoConsole checks that the display is dark without the console, until a
// client lights it.
func TestNoConsole(t *testing.T) {
	config := vkms.ConfigOf(drm.Linux72)
	config.Console = false
	driver, _ := bind(t, config)
	_ = drmtest.Open(t, driver.Device().Primary()).File.Close()
	if _, active, fb := shown(driver.ModeConfig(), 0); active || fb != 0 {
		t.Errorf("active %v, framebuffer %d", active, fb)
	}
}
