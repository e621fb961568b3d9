package udrmcmd

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/udrm/udrm/control"
	"github.com/udrm/udrm/internal/wholefile"
)

type compareCmd struct {
	machineFlag
	Screen    screenArg `arg:"" name:"card[:connector]" help:"The card, and the connector unless the card shows only one picture."`
	File      string    `arg:"" help:"The PNG file with the wanted picture."`
	Tolerance int       `placeholder:"N" help:"The largest difference of a colour component that counts as equal, out of 255; default: 0."`
	Mask      string    `placeholder:"FILE" help:"A PNG file; where it is black, pixels are ignored."`
	Diff      string    `placeholder:"FILE" help:"Where to write a PNG that shows the pixels that differ in red."`
}

// Run compares the pictures. If they differ, the status is that of a refusal.
func (cmd *compareCmd) Run(a *app) error {
	request := control.CompareRequest{Connector: cmd.Screen.connector, Tolerance: cmd.Tolerance}
	if err := errors.Join(readInto(&request.Picture, cmd.File), readInto(&request.Mask, cmd.Mask)); err != nil {
		return err
	}
	return cmd.steer(a, func(ctx context.Context, c *control.Client) error {
		comparison, err := c.Compare(ctx, cmd.Screen.card, request)
		if err != nil || comparison.Equal {
			return err
		}
		fmt.Fprintf(os.Stderr, "%s: compare %s: it does not show %s: %s\n", a.Name, cmd.Screen, cmd.File, comparison.Reason)
		if cmd.Diff != "" && comparison.Difference != nil {
			if err := wholefile.WriteData(cmd.Diff, comparison.Difference); err != nil {
				return err
			}
		}
		return ExitStatus(statusRefused)
	})
}
