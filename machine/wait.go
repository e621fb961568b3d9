package machine

import (
	"context"
	"errors"
	"fmt"
	"image"
	"time"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/kms"
)

// Frames returns the number of frames that a connector has shown since its card
// was plugged: the commits that a vblank has put on its screen. The name is as
// in [Card.Screenshot].
func (c *Card) Frames(connector string) (uint64, error) {
	display, _, err := c.display()
	if err != nil {
		return 0, err
	}
	_, crtc, err := c.lit(display, connector)
	if err != nil {
		return 0, err
	}
	return crtc.Frames(), nil
}

// WaitFrames waits until a connector has shown n frames since its card was
// plugged; see [Card.Frames].
func (c *Card) WaitFrames(ctx context.Context, connector string, n uint64) error {
	return c.wait(ctx, connector, fmt.Sprintf("frame %d", n), nil, func(_ *kms.Connector, crtc *kms.CRTC) error {
		if frames := crtc.Frames(); frames < n {
			return fmt.Errorf("%s has shown %d frames", c.place(connector), frames)
		}
		return nil
	})
}

// redraw is how often a wait looks at a picture that has not changed: a program can
// draw into the buffer that is being shown, and tell no one.
const redraw = 50 * time.Millisecond

// WaitPicture waits until match returns nil for the picture on a connector, and
// returns that picture. The name is as in [Card.Screenshot]. If ctx ends first,
// the error includes the last one of match, or says that the screen is dark.
func (c *Card) WaitPicture(ctx context.Context, connector string, match func(*image.NRGBA) error) (*image.NRGBA, error) {
	ticker := time.NewTicker(redraw)
	defer ticker.Stop()
	var picture *image.NRGBA
	err := c.wait(ctx, connector, "the picture", ticker.C, func(shown *kms.Connector, _ *kms.CRTC) (err error) {
		if picture, err = shown.MonitorPicture(nil); err != nil {
			return err
		}
		return match(picture)
	})
	return picture, err
}

// WaitLit waits until a connector shows a picture. The name is as in
// [Card.Screenshot].
func (c *Card) WaitLit(ctx context.Context, connector string) error {
	ticker := time.NewTicker(redraw)
	defer ticker.Stop()
	return c.wait(ctx, connector, "a picture", ticker.C, func(*kms.Connector, *kms.CRTC) error { return nil })
}

func (c *Card) place(connector string) string {
	if connector == "" {
		return c.label
	}
	return c.label + ":" + connector
}

// wait calls check with a connector and the CRTC that feeds it, until check returns
// nil: at once, at each change of the picture, and whenever again delivers a
// value. It fails at once if the connector does not exist, or if the card is
// unplugged.
func (c *Card) wait(ctx context.Context, connector, what string, again <-chan time.Time, check func(*kms.Connector, *kms.CRTC) error) error {
	display, dev, err := c.display()
	if err != nil {
		return err
	}
	for {
		changed := display.Changed()
		unplugged := dev.State() > drm.Live
		shown, crtc, err := c.lit(display, connector)
		var dark *darkError
		switch {
		case err == nil:
			if err = check(shown, crtc); err == nil {
				return nil
			}
		case !errors.As(err, &dark):
			return err
		}
		if unplugged {
			return fmt.Errorf("waiting for %s: %w, and the card is unplugged", what, err)
		}
		select {
		case <-changed:
		case <-again:
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w (%w)", what, err, context.Cause(ctx))
		}
	}
}
