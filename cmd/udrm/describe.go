package main

import (
	"fmt"
	"slices"

	"github.com/alecthomas/kong"

	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/machine/config"
)

// cardFlags describe the cards: all of them alike, or each in a file.
type cardFlags struct {
	Config    string   `placeholder:"FILE" help:"Plug the cards that a file describes, or a directory laid out as /config/vkms, instead of the flags below. Its format: go doc github.com/udrm/udrm/machine/config."`
	Cards     int      `default:"1" help:"How many cards to plug: card0, card1 …"`
	Monitor   []string `sep:"none" placeholder:"MONITOR" help:"${monitor_help}"`
	CRTCs     int      `name:"crtcs" placeholder:"N" help:"How many CRTCs a card has: one for each monitor, unless it is said. Without monitors it gets as many connectors."`
	Format    []string `placeholder:"CODE" help:"Pixel formats beside the kernel's, by the codes of drm_fourcc.h: XR30,NV12."`
	Cursor    bool     `default:"true" negatable:"" help:"Each CRTC has a cursor plane."`
	Overlay   bool     `help:"Cards have eight overlay planes."`
	Writeback bool     `default:"true" negatable:"" help:"Each CRTC has a writeback connector."`
	Syncobj   bool     `help:"Cards have sync objects and timelines, which the kernel's vkms does not."`
	Render    bool     `help:"Cards have a render node, which the kernel's vkms does not."`
	VGEM      int      `name:"vgem" help:"How many vgem devices to add, behind the cards: buffers and fences, and no displays."`
}

// helpVars are what the help of the flags refers to.
var helpVars = kong.Vars{
	"monitor_help": "Cards have a monitor, on a connector of its own. May be repeated. MONITOR is " + config.MonitorUsage +
		". Example: --monitor \"DELL U2720Q:3840x2160@60,1920x1080,600x340mm,DP\" --monitor 1280x720,disconnected",
}

// cardGroup is the group of these flags.
const cardGroup = "Cards:"

// givenCardFlags returns the names of those that were given.
func givenCardFlags(ctx *kong.Context) (names []string) {
	for _, part := range ctx.Path {
		if part.Flag != nil && part.Flag.Group != nil && part.Flag.Group.Key == cardGroup {
			names = append(names, part.Flag.Name)
		}
	}
	return names
}

// describe returns the cards that the flags describe, and what further cards
// are, nil for none. given are the names of the flags that were given.
func (f *cardFlags) describe(given []string) (list []config.Card, further *config.Card, err error) {
	if f.Config != "" {
		for _, name := range given {
			if name != "config" {
				return nil, nil, fmt.Errorf("--%s with --config: the file describes the cards; say it there", name)
			}
		}
		list, err := config.ReadFile(f.Config)
		return list, nil, err
	}
	if f.Cards < 0 || f.Cards > config.MaxCards {
		return nil, nil, fmt.Errorf("--cards=%d: it takes 0 to %d", f.Cards, config.MaxCards)
	}
	if f.VGEM < 0 || f.VGEM > config.MaxCards-f.Cards {
		return nil, nil, fmt.Errorf("--vgem=%d: with %d cards it takes 0 to %d", f.VGEM, f.Cards, config.MaxCards-f.Cards)
	}
	card := config.DefaultCard()
	if err := f.display(&card.VKMS); err != nil {
		return nil, nil, err
	}
	list = slices.Concat(
		slices.Repeat([]config.Card{card}, f.Cards),
		slices.Repeat([]config.Card{{Name: "vgem", Driver: config.VGEM, Enabled: true}}, f.VGEM),
	)
	return list, &card, nil
}

// display sets what the flags say of each card.
func (f *cardFlags) display(c *vkms.Config) error {
	c.Cursor, c.Overlay, c.Writeback, c.Syncobj, c.Render = f.Cursor, f.Overlay, f.Writeback, f.Syncobj, f.Render
	for _, text := range f.Format {
		code, err := config.ParseFormat(text)
		if err != nil {
			return fmt.Errorf("--format: %w", err)
		}
		c.Formats = append(c.Formats, code)
	}
	if f.CRTCs < 0 || f.CRTCs > vkms.MaxCRTCs {
		return fmt.Errorf("--crtcs=%d: a card has 1 to %d", f.CRTCs, vkms.MaxCRTCs)
	}
	if f.CRTCs == 0 && f.Monitor == nil {
		return nil
	}
	var connectors []vkms.Connector
	for i, spec := range f.Monitor {
		connector, err := config.ParseMonitor(spec, i+1)
		if err != nil {
			return fmt.Errorf("--monitor: %w", err)
		}
		connector.Name = fmt.Sprintf("connector%d", i)
		connectors = append(connectors, connector)
	}
	for i := range f.CRTCs {
		if f.Monitor == nil {
			connectors = append(connectors, vkms.Connector{Name: fmt.Sprintf("connector%d", i)})
		}
	}
	crtcs := f.CRTCs
	if crtcs == 0 {
		crtcs = len(connectors)
	}
	c.Topology = vkms.NewTopology(crtcs, connectors, c)
	return c.Topology.Validate()
}
