package udrmcmd

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/udrm/udrm/control"
	"github.com/udrm/udrm/seat"
)

type seatCmd struct {
	machineFlag
	Do string `arg:"" enum:"show,pause,resume,revoke,restore" default:"show" help:"show prints the sessions; pause switches to an empty terminal, as Ctrl+Alt+F2 does, and resume switches back; revoke takes the cards away from the active session without a word, and restore gives them back. Default: ${default}."`
}

// Run shows or steers the seat.
func (cmd *seatCmd) Run(a *app) error {
	return cmd.steer(a, func(ctx context.Context, c *control.Client) error {
		if cmd.Do != "show" {
			_, err := c.SteerSeat(ctx, cmd.Do)
			return err
		}
		now, err := c.Seat(ctx)
		if err != nil {
			return err
		}
		return showSeat(a.stdout, now)
	})
}

// showSeat prints a seat, a line for each session.
func showSeat(out io.Writer, now *control.Seat) error {
	if now.Paused {
		fmt.Fprintf(out, "%s is paused\n", seat.Name)
	}
	if len(now.Sessions) == 0 {
		_, err := fmt.Fprintf(out, "%s has no session\n", seat.Name)
		return err
	}
	for _, s := range now.Sessions {
		line := fmt.Sprintf("session %d of process %d is %s", s.Number, s.PID, s.State)
		if len(s.Devices) > 0 {
			line += ", has " + strings.Join(s.Devices, ", ")
		}
		if _, err := fmt.Fprintln(out, line); err != nil {
			return err
		}
	}
	return nil
}
