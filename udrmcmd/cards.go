package udrmcmd

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/alecthomas/kong"

	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/machine/config"
)

// cardFlags describe the cards: all of them alike, or each in a file.
type cardFlags struct {
	Config        fileName `placeholder:"FILE" help:"Read the cards from a file, or from a directory laid out as /config/vkms. Excludes the other flags of this group. For the format see \"${name} help config\"."`
	Like          fileName `placeholder:"FILE" help:"Make cards that look like those of which drm_info -j has printed FILE. Excludes the other flags of this group. See \"${name} help cards\"."`
	Cards         int      `placeholder:"N" default:"1" help:"Number of cards: card0, card1 and so on; default: ${default}."`
	Driver        string   `placeholder:"NAME" default:"${driver}" enum:"${drivers}" help:"Driver of the cards: ${driver_list}; default: ${default}."`
	Monitor       []string `sep:"none" placeholder:"MONITOR" help:"${monitor_help}"`
	CRTCs         int      `name:"crtcs" placeholder:"N" help:"Number of CRTCs of each card; default: one per monitor. Without --monitor, each card gets one connector for each CRTC."`
	Format        []string `placeholder:"CODE" help:"Add pixel formats to those of the kernel's vkms, by their codes in drm_fourcc.h: XR30,NV12."`
	VKMS          string   `name:"vkms" placeholder:"VERSION" default:"7.2" enum:"7.2,6.12" help:"Linux version whose vkms the cards are: 7.2 or 6.12; default: ${default}."`
	Console       bool     `default:"true" negatable:"" help:"Light the cards while no program is master, as the kernel's console does (default)."`
	Cursor        bool     `default:"true" negatable:"" help:"Give each CRTC a cursor plane (default)."`
	Overlay       bool     `help:"Give each card eight overlay planes."`
	PlanePipeline bool     `help:"Give each plane a colour pipeline; not with --vkms 6.12."`
	Writeback     bool     `default:"true" negatable:"" help:"Give each CRTC a writeback connector (default)."`
	Syncobj       bool     `help:"Give each card sync objects and timelines. The kernel's vkms has none."`
	Render        bool     `help:"Give each card a render node. The kernel's vkms has none."`
	VGEM          int      `name:"vgem" placeholder:"N" default:"0" help:"Add N vgem cards after the others: buffers and fences, without displays; default: 0."`
}

// monitorHelp is the help of --monitor.
const monitorHelp = "Give each card a monitor on a connector of its own. Repeat the flag for more monitors. MONITOR is " + config.MonitorUsage +
	". Example: --monitor \"DELL U2720Q:3840x2160@60,1920x1080,600x340mm,DP\" --monitor 1280x720,disconnected"

// cardGroup is the group of these flags in the help.
const cardGroup = "Cards:"

// A fileName is the name of a file in a flag: not "", as of a variable of a
// shell that is not set.
type fileName string

// UnmarshalText refuses an empty name.
func (f *fileName) UnmarshalText(text []byte) error {
	if *f = fileName(text); *f == "" {
		return errors.New("the name of the file is empty")
	}
	return nil
}

// fileError returns an error of a file, with the flag that names it unless the
// file itself is wrong: such an error begins with its place, FILE:LINE.
func fileError(flag string, err error) error {
	if errors.As(err, new(*fs.PathError)) {
		return fmt.Errorf("%s: %w", flag, err)
	}
	return err
}

// givenCardFlags returns the names of the flags of the group on the command
// line.
func givenCardFlags(ctx *kong.Context) (names []string) {
	for _, part := range ctx.Path {
		if part.Flag != nil && part.Flag.Group != nil && part.Flag.Group.Key == cardGroup {
			names = append(names, part.Flag.Name)
		}
	}
	return names
}

// describe returns the cards that the flags describe, and the template of
// further cards, nil for none. given are the names of the flags on the command
// line.
func (f *cardFlags) describe(a *app, given []string) (list []config.Card, template *config.Card, err error) {
	for _, file := range []string{"config", "like"} {
		if !slices.Contains(given, file) {
			continue
		}
		for _, name := range given {
			if name != file {
				return nil, nil, fmt.Errorf("--%s cannot be combined with --%s; write it into the file", name, file)
			}
		}
	}
	if f.Like != "" {
		list, err := config.ReadSnapshot(string(f.Like))
		return list, nil, fileError("--like", err)
	}
	if f.Config != "" {
		var names []config.Driver
		for _, d := range a.Drivers {
			names = append(names, d.Name)
		}
		list, err := config.ReadFile(string(f.Config), names...)
		return list, nil, fileError("--config", err)
	}
	if f.Cards < 0 || f.Cards > config.MaxCards {
		return nil, nil, fmt.Errorf("--cards=%d is not a number from 0 to %d", f.Cards, config.MaxCards)
	}
	if f.VGEM < 0 || f.VGEM > config.MaxCards-f.Cards {
		return nil, nil, fmt.Errorf("--vgem=%d is not a number from 0 to %d, what %d cards leave of %d",
			f.VGEM, config.MaxCards-f.Cards, f.Cards, config.MaxCards)
	}
	card := config.DefaultCard()
	card.Name, card.Driver = f.Driver, config.Driver(f.Driver)
	card.VKMS = vkms.ConfigOf(drm.Kernel(f.VKMS))
	card.VKMS.Console = f.Console
	if err := f.display(&card.VKMS, given); err != nil {
		return nil, nil, err
	}
	list = slices.Concat(
		slices.Repeat([]config.Card{card}, f.Cards),
		slices.Repeat([]config.Card{{Name: "vgem", Driver: config.VGEM, Enabled: true}}, f.VGEM),
	)
	return list, &card, nil
}

// display sets the display of each card. given are the names of the flags on the
// command line.
func (f *cardFlags) display(c *vkms.Config, given []string) error {
	c.Cursor, c.Overlay, c.Writeback, c.Syncobj, c.Render = f.Cursor, f.Overlay, f.Writeback, f.Syncobj, f.Render
	c.PlanePipeline = f.PlanePipeline
	if err := c.Check(); err != nil {
		return fmt.Errorf("--plane-pipeline: %w", err)
	}
	if len(f.Format) == 0 && slices.Contains(given, "format") {
		return errors.New("--format is empty; write a code of drm_fourcc.h, such as XR30 or NV12")
	}
	for _, text := range f.Format {
		code, err := config.ParseFormat(text)
		if err != nil {
			return fmt.Errorf("--format: %w", err)
		}
		c.Formats = append(c.Formats, code)
	}
	if f.CRTCs < 0 || f.CRTCs > vkms.MaxCRTCs || f.CRTCs == 0 && slices.Contains(given, "crtcs") {
		return fmt.Errorf("--crtcs=%d is not a number from 1 to %d", f.CRTCs, vkms.MaxCRTCs)
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
