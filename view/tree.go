package view

import (
	"cmp"
	"slices"
	"time"

	"github.com/udrm/udrm/control"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/fourcc"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/machine"
)

// A tree describes the machine as it is now. Times are in milliseconds.
type tree struct {
	Cards []card            `json:"cards"`
	Clock machine.ClockMode `json:"clock"`
	Rules []control.Rule    `json:"rules"` // of this page and of other clients
}

type card struct {
	control.Card
	CRTCs        []crtc        `json:"crtcs"`
	Framebuffers []framebuffer `json:"framebuffers"`
	Clients      []client      `json:"clients"`
	Guards       int           `json:"guards"` // that are open
	OpenGuards   []guard       `json:"openGuards"`
	Unplug       *unplugInfo   `json:"unplug"` // the last one, or null
}

type crtc struct {
	Index  int     `json:"index"`
	ID     uint32  `json:"id"`
	Planes []plane `json:"planes"` // that are on, the lowest first
}

type plane struct {
	ID    uint32 `json:"id"`
	Type  string `json:"type"` // primary, cursor or overlay
	FB    uint32 `json:"fb"`
	Place [4]int `json:"place"` // x, y, width and height on the CRTC
}

type framebuffer struct {
	ID     uint32 `json:"id"`
	Width  uint32 `json:"width"`
	Height uint32 `json:"height"`
	Format string `json:"format"`
	Comm   string `json:"comm"` // the process that made it
}

type client struct {
	PID  int    `json:"pid"`
	Comm string `json:"comm"`
}

// A guard is an open guard of a request.
type guard struct {
	What string  `json:"what"`
	PID  int     `json:"pid"`
	Comm string  `json:"comm"`
	Age  float64 `json:"age"`
}

// An unplugInfo tells how far an unplug is.
type unplugInfo struct {
	Age     float64  `json:"age"`     // since it began
	Drained *float64 `json:"drained"` // from the beginning to the exit of the last guard
	Ended   *float64 `json:"ended"`   // from the beginning to the end
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// tree returns the tree. unplugs are the unplugs that the viewer has seen.
func (s *Server) tree(unplugs map[*drm.Device]unplugTimes) tree {
	t := tree{Cards: []card{}, Clock: s.machine.Clock(), Rules: s.control.Rules()}
	for _, c := range s.machine.Cards() {
		t.Cards = append(t.Cards, describe(c, unplugs))
	}
	return t
}

func describe(c *machine.Card, unplugs map[*drm.Device]unplugTimes) card {
	d := card{Card: control.Describe(c), CRTCs: []crtc{}, Framebuffers: []framebuffer{}, Clients: []client{}, OpenGuards: []guard{}}
	dev := c.Device()
	if dev == nil {
		return d
	}
	d.Guards = dev.Guards()
	for _, g := range dev.OpenGuards() {
		d.OpenGuards = append(d.OpenGuards, guard{g.What, g.Client.PID, g.Client.Comm, milliseconds(time.Since(g.Since))})
	}
	for _, cl := range dev.Clients() {
		d.Clients = append(d.Clients, client{cl.PID, cl.Comm})
	}
	slices.SortFunc(d.Clients, func(a, b client) int { return cmp.Compare(a.PID, b.PID) })
	if u, ok := unplugs[dev]; ok {
		d.Unplug = u.info()
	}
	if display, ok := drm.PartOf[*kms.ModeConfig](dev); ok {
		d.describeDisplay(display)
	}
	return d
}

func (d *card) describeDisplay(display *kms.ModeConfig) {
	state := display.State()
	for _, c := range display.CRTCs() {
		entry := crtc{Index: c.Index(), ID: c.ID(), Planes: []plane{}}
		for _, p := range display.Planes() {
			ps := state.Plane(p)
			if ps.CRTC != c || ps.FB == nil {
				continue
			}
			entry.Planes = append(entry.Planes, plane{
				ID: p.ID(), Type: planeTypes[p.Type()], FB: ps.FB.ID(),
				Place: [4]int{int(ps.CRTCX), int(ps.CRTCY), int(ps.CRTCW), int(ps.CRTCH)},
			})
		}
		d.CRTCs = append(d.CRTCs, entry)
	}
	for _, fb := range display.FramebufferInfos() {
		d.Framebuffers = append(d.Framebuffers, framebuffer{fb.ID, fb.Width, fb.Height, fourcc.String(fb.Format.Code), fb.Comm})
	}
}

var planeTypes = map[int]string{
	uapi.PlaneTypeOverlay: "overlay", uapi.PlaneTypePrimary: "primary", uapi.PlaneTypeCursor: "cursor",
}

// unplugTimes are the times of an unplug. Those that are still to come are zero.
type unplugTimes struct{ begun, drained, ended time.Time }

func (u unplugTimes) info() *unplugInfo {
	info := &unplugInfo{Age: milliseconds(time.Since(u.begun))}
	since := func(t time.Time) *float64 {
		if t.IsZero() {
			return nil
		}
		d := milliseconds(t.Sub(u.begun))
		return &d
	}
	info.Drained, info.Ended = since(u.drained), since(u.ended)
	return info
}
