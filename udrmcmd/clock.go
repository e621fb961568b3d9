package udrmcmd

import (
	"context"
	"fmt"
	"time"

	"github.com/udrm/udrm/control"
	"github.com/udrm/udrm/machine"
)

type clockCmd struct {
	machineFlag
	Do      string        `arg:"" optional:"" default:"show" enum:"show,step,stop,run,real,fast" help:"show prints the mode, as of run --clock: real, step or fast; step lets vblanks happen while the clock is stopped; stop stops the clock; run, or real, lets it follow real time; fast makes a vblank happen as soon as a program waits for it. Default: ${default}."`
	Steps   *int          `arg:"" optional:"" help:"With step: the number of vblanks; default: 1."`
	Timeout time.Duration `placeholder:"TIME" default:"10s" help:"With step: how long to wait until programs wait for these vblanks; default: ${default}."`
}

// Run steps the clock, or changes or prints its mode.
func (cmd *clockCmd) Run(a *app) error {
	steps := 1
	if cmd.Steps != nil {
		steps = *cmd.Steps
	}
	if cmd.Do != "step" && cmd.Steps != nil {
		return fmt.Errorf("clock %s takes no number", cmd.Do)
	}
	return cmd.steer(a, func(ctx context.Context, c *control.Client) (err error) {
		switch cmd.Do {
		case "show":
			var clock *control.Clock
			if clock, err = c.Clock(ctx); err == nil {
				_, err = fmt.Fprintln(a.stdout, clock.Mode)
			}
		case "step":
			_, err = c.StepClock(ctx, control.StepRequest{Steps: steps, Timeout: cmd.Timeout.String()})
		case "stop":
			_, err = c.SetClock(ctx, machine.ClockStep)
		case "run", "real":
			_, err = c.SetClock(ctx, machine.ClockReal)
		default:
			_, err = c.SetClock(ctx, machine.ClockFast)
		}
		return err
	})
}
