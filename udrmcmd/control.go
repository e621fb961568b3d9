package udrmcmd

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/udrm/udrm/control"
	"github.com/udrm/udrm/internal/wholefile"
	"github.com/udrm/udrm/machine"
	"github.com/udrm/udrm/machine/picture"
)

// controlCmds are the commands that steer a running machine.
type controlCmds struct {
	Ls              lsCmd              `cmd:"" help:"List the cards of a running machine, their connectors and what these show."`
	Plug            plugCmd            `cmd:"" help:"Plug a card of a running machine in (again)."`
	Unplug          unplugCmd          `cmd:"" help:"Pull a card of a running machine out. The driver is not asked."`
	Bind            bindCmd            `cmd:"" help:"Bind the driver to a card of a running machine, after unbind."`
	Unbind          unbindCmd          `cmd:"" help:"Unbind the driver from a card of a running machine, a planned removal."`
	Connect         connectCmd         `cmd:"" help:"Plug a monitor into a connector of a running machine."`
	Disconnect      disconnectCmd      `cmd:"" help:"Pull the monitor out of a connector of a running machine."`
	AddConnector    addConnectorCmd    `cmd:"" help:"Add a connector to a card of a running machine, as a hub of DisplayPort MST does."`
	RemoveConnector removeConnectorCmd `cmd:"" help:"Remove a connector that add-connector has added."`
	Screenshot      screenshotCmd      `cmd:"" help:"Write the picture on a connector of a running machine to a PNG file."`
	Compare         compareCmd         `cmd:"" help:"Compare the picture on a connector of a running machine with a PNG file."`
	Clock           clockCmd           `cmd:"" help:"Step, stop or run the clock of a running machine, which makes vblanks happen."`
	Seat            seatCmd            `cmd:"" help:"Pause or resume the seat of a running machine, as a switch of the virtual terminal does."`
	On              onCmd              `cmd:"" help:"Do something at a chosen event of a program on a running machine, as run --on does."`
	Fault           faultCmd           `cmd:"" help:"Make requests to a running machine fail or wait. It adds a rule, as the command on does."`
	Wait            waitCmd            `cmd:"" help:"Wait until a connector of a running machine has shown a picture (--lit, --matches) or a number of frames (--frames)."`
	View            viewCmd            `cmd:"" help:"Show a running machine in a browser: print the URL of a page with its screens, cards and requests."`
}

// Exit statuses of the commands that steer a running machine.
const (
	statusRefused = 1
	statusTimeout = 124 // as of timeout(1)
)

// A machineFlag says which machine is meant.
type machineFlag struct {
	Machine machineName `placeholder:"NAME" help:"The machine; default: the one that this command runs on ($$UDRM_CONTROL), or your only running one."`
}

// A machineName is the name of a machine in a flag. As that of a file, it is not "".
type machineName string

// UnmarshalText refuses an empty name.
func (n *machineName) UnmarshalText(text []byte) error {
	if *n = machineName(text); *n == "" {
		return errors.New("the name of the machine is empty")
	}
	return nil
}

// steer calls do with a client of the machine. A refusal is reported here, and
// becomes an exit status.
func (f *machineFlag) steer(a *app, do func(context.Context, *control.Client) error) error {
	path, err := control.Find(string(f.Machine))
	if err != nil {
		return err
	}
	client := control.NewClient(path)
	defer client.Close()
	err = do(context.Background(), client)
	var refusal *control.Error
	if !errors.As(err, &refusal) {
		return err
	}
	fmt.Fprintf(os.Stderr, "%s: %v\n", a.Name, refusal)
	switch refusal.Code {
	case control.CodeTimeout:
		return ExitStatus(statusTimeout)
	case control.CodeBadRequest: // wrong arguments, as those that the parser refuses
		return ExitStatus(statusFailure)
	}
	return ExitStatus(statusRefused)
}

// A cardArg is the card of an action.
type cardArg struct {
	machineFlag
	Card string `arg:"" help:"The card, such as card0."`
}

// act does something to the card.
func (arg *cardArg) act(a *app, do func(*control.Client, context.Context, string) (*control.Card, error)) error {
	return arg.steer(a, func(ctx context.Context, c *control.Client) error {
		_, err := do(c, ctx, arg.Card)
		return err
	})
}

type (
	plugCmd   struct{ cardArg }
	unplugCmd struct{ cardArg }
	bindCmd   struct{ cardArg }
	unbindCmd struct{ cardArg }
)

// Run plugs the card in.
func (cmd *plugCmd) Run(a *app) error { return cmd.act(a, (*control.Client).Plug) }

// Run pulls the card out, and returns when no request is in flight.
func (cmd *unplugCmd) Run(a *app) error { return cmd.act(a, (*control.Client).Unplug) }

// Run binds the driver.
func (cmd *bindCmd) Run(a *app) error { return cmd.act(a, (*control.Client).Bind) }

// Run unbinds the driver.
func (cmd *unbindCmd) Run(a *app) error { return cmd.act(a, (*control.Client).Unbind) }

type lsCmd struct {
	machineFlag
	JSON bool `name:"json" help:"Print JSON, as docs/control.openapi.yaml describes it."`
}

// Run lists the cards.
func (cmd *lsCmd) Run(a *app) error {
	return cmd.steer(a, func(ctx context.Context, c *control.Client) error {
		m, err := c.Machine(ctx)
		if err != nil {
			return err
		}
		if cmd.JSON {
			e := json.NewEncoder(a.stdout)
			e.SetIndent("", "  ")
			return e.Encode(m)
		}
		return list(a.stdout, m)
	})
}

// list prints the cards as a table, with a line for each connector.
func list(out io.Writer, m *control.Machine) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CARD\tNODE\tSTATE\tDRIVER\tCONNECTOR\tMONITOR\tSHOWS\tFRAMES")
	for _, card := range m.Cards {
		head := fmt.Sprintf("%s\t%s\t%s\t%s", card.Label, cmp.Or(card.Node, "-"), card.State, card.Driver)
		if len(card.Connectors) == 0 {
			fmt.Fprintf(w, "%s\t-\t-\t-\t-\n", head)
		}
		for _, c := range card.Connectors {
			shows, frames := "-", "-"
			if c.CRTC != nil {
				shows, frames = c.CRTC.Mode, fmt.Sprint(c.CRTC.Frames)
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", head, c.Name, monitorWord(c), shows, frames)
		}
	}
	return w.Flush()
}

func monitorWord(c control.Connector) string {
	if !c.Connected {
		return "-"
	}
	return cmp.Or(c.Monitor, "unknown")
}

// A connectorArg is CARD:CONNECTOR on the command line.
type connectorArg struct{ card, connector string }

// UnmarshalText parses "card0:DP-1".
func (arg *connectorArg) UnmarshalText(text []byte) error {
	if err := arg.parse(string(text)); err != nil {
		return err
	}
	if arg.connector == "" {
		return fmt.Errorf("%q: there is no connector; write it as in %s:Virtual-1", text, arg.card)
	}
	return nil
}

func (arg *connectorArg) parse(text string) error {
	card, connector, has := strings.Cut(text, ":")
	if has && connector == "" {
		return fmt.Errorf("%q: the name of the connector is empty; write it as in %s:Virtual-1", text, card)
	}
	*arg = connectorArg{card, connector}
	return machine.CheckLabel(card)
}

func (arg connectorArg) String() string {
	if arg.connector == "" {
		return arg.card
	}
	return arg.card + ":" + arg.connector
}

// A screenArg is CARD or CARD:CONNECTOR on the command line.
type screenArg struct{ connectorArg }

// UnmarshalText parses "card0" or "card0:DP-1".
func (arg *screenArg) UnmarshalText(text []byte) error { return arg.parse(string(text)) }

// A monitorArg is CARD:CONNECTOR[=MONITOR] on the command line.
type monitorArg struct {
	connectorArg
	monitor control.ConnectRequest
}

// UnmarshalText parses "card0:DP-1=1920x1080" or "card0:DP-1=edid=FILE".
func (arg *monitorArg) UnmarshalText(text []byte) (err error) {
	target, monitor, has := strings.Cut(string(text), "=")
	if has && monitor == "" {
		return fmt.Errorf("%q: the monitor is empty; write it as in --monitor of run", text)
	}
	// The server reads no files: this process may be in another directory.
	if file, ok := strings.CutPrefix(monitor, "edid="); ok {
		arg.monitor.EDID, err = os.ReadFile(file)
	} else {
		arg.monitor.Monitor = monitor
	}
	return errors.Join(err, arg.connectorArg.UnmarshalText([]byte(target)))
}

type connectCmd struct {
	machineFlag
	Connector monitorArg `arg:"" name:"card:connector[=monitor]" help:"The connector, such as card0:DP-1, and the monitor as in --monitor of run; default: the monitor that the connector is described with."`
}

// Run plugs the monitor in.
func (cmd *connectCmd) Run(a *app) error {
	return cmd.steer(a, func(ctx context.Context, c *control.Client) error {
		_, err := c.Connect(ctx, cmd.Connector.card, cmd.Connector.connector, cmd.Connector.monitor)
		return err
	})
}

// A connectorCmd does something to a connector.
type connectorCmd struct {
	machineFlag
	Connector connectorArg `arg:"" name:"card:connector" help:"The connector, such as card0:DP-1."`
}

func (cmd *connectorCmd) act(a *app, do func(*control.Client, context.Context, string, string) (*control.Card, error)) error {
	return cmd.steer(a, func(ctx context.Context, c *control.Client) error {
		_, err := do(c, ctx, cmd.Connector.card, cmd.Connector.connector)
		return err
	})
}

type (
	disconnectCmd      struct{ connectorCmd }
	removeConnectorCmd struct{ connectorCmd }
)

// Run pulls the monitor out.
func (cmd *disconnectCmd) Run(a *app) error { return cmd.act(a, (*control.Client).Disconnect) }

// Run removes the connector.
func (cmd *removeConnectorCmd) Run(a *app) error {
	return cmd.act(a, (*control.Client).RemoveConnector)
}

type addConnectorCmd struct {
	machineFlag
	Connector monitorArg `arg:"" name:"card:type[=monitor]" help:"The card and the type of the connector, such as card0:DP, and the monitor as in --monitor of run; default: none is plugged in."`
}

// Run adds the connector and prints its name.
func (cmd *addConnectorCmd) Run(a *app) error {
	return cmd.steer(a, func(ctx context.Context, c *control.Client) error {
		name, err := c.AddConnector(ctx, cmd.Connector.card, control.AddConnectorRequest{
			Type: cmd.Connector.connector, Monitor: cmd.Connector.monitor.Monitor, EDID: cmd.Connector.monitor.EDID,
		})
		if err == nil {
			fmt.Fprintln(a.stdout, name)
		}
		return err
	})
}

type screenshotCmd struct {
	machineFlag
	Screen screenArg `arg:"" name:"card[:connector]" help:"The card, and the connector unless the card shows only one picture."`
	File   string    `arg:"" help:"The PNG file, or - for the standard output."`
}

// Run writes the picture.
func (cmd *screenshotCmd) Run(a *app) error {
	if err := picture.CheckFile(cmd.File); err != nil {
		return err
	}
	return cmd.steer(a, func(ctx context.Context, c *control.Client) error {
		png, err := c.Screenshot(ctx, cmd.Screen.card, cmd.Screen.connector)
		if err != nil {
			return err
		}
		if cmd.File == "-" {
			_, err = a.stdout.Write(png)
			return err
		}
		return wholefile.WriteData(cmd.File, png)
	})
}

type waitCmd struct {
	machineFlag
	Screen    screenArg     `arg:"" name:"card[:connector]" help:"The card, and the connector unless the card shows only one picture."`
	Frames    uint64        `placeholder:"N" xor:"what" required:"" help:"Wait until N frames were shown since the card was plugged."`
	Lit       bool          `xor:"what" required:"" help:"Wait until a picture is shown."`
	Matches   string        `placeholder:"FILE" xor:"what" required:"" help:"Wait until the picture of a PNG file is shown."`
	Tolerance int           `placeholder:"N" help:"With --matches: the largest difference of a colour component that counts as equal, out of 255; default: 0."`
	Mask      string        `placeholder:"FILE" help:"With --matches: a PNG file; where it is black, pixels are ignored."`
	Timeout   time.Duration `placeholder:"TIME" default:"10s" help:"How long to wait; default: ${default}."`
}

// Run waits.
func (cmd *waitCmd) Run(a *app) error {
	switch {
	case !cmd.Lit && cmd.Matches == "" && cmd.Frames == 0:
		return errors.New("--frames is a number from 1")
	case cmd.Matches == "" && (cmd.Tolerance != 0 || cmd.Mask != ""):
		return errors.New("--tolerance and --mask need --matches")
	}
	request := control.WaitRequest{
		Connector: cmd.Screen.connector, Frames: cmd.Frames, Lit: cmd.Lit, Tolerance: cmd.Tolerance, Timeout: cmd.Timeout.String(),
	}
	if err := errors.Join(readInto(&request.Matches, cmd.Matches), readInto(&request.Mask, cmd.Mask)); err != nil {
		return err
	}
	return cmd.steer(a, func(ctx context.Context, c *control.Client) error {
		_, err := c.Wait(ctx, cmd.Screen.card, request)
		return err
	})
}

// readInto reads a file, unless its name is "".
func readInto(data *[]byte, name string) (err error) {
	if name != "" {
		*data, err = os.ReadFile(name)
	}
	return err
}
