package machine

import (
	"context"
	"errors"
	"image"
	"time"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/drm"
)

// relook is how often Follow looks at a picture that has not changed; see
// [redraw].
const relook = time.Second

// Follow calls show with the picture on a connector: now, whenever the picture
// changes, and once a second, since a program can draw into the buffer that is
// being shown. A picture is nil when the connector shows none. Changes that
// happen while show runs become one call.
//
// The picture must not be used after the next but one call of show: it is drawn
// into again. So each picture can be compared with the one before.
//
// After an unplug, Follow waits until the card is plugged again. It returns when
// ctx ends or show returns an error, with that error; or if the card has no such
// connector.
func (c *Card) Follow(ctx context.Context, connector string, show func(*image.NRGBA) error) error {
	plugged := make(chan struct{}, 1)
	defer c.bus.Subscribe(func(e bus.Event) {
		if e.Action != "bind" || e.Device.Name() != c.device {
			return
		}
		select {
		case plugged <- struct{}{}:
		default:
		}
	})()
	ticker := time.NewTicker(relook)
	defer ticker.Stop()
	var spare, last *image.NRGBA
	for first := true; ; first = false {
		changed, picture, unplugged, err := c.look(connector, spare)
		if err != nil {
			return err
		}
		if picture != nil || last != nil || first {
			if err := show(picture); err != nil {
				return err
			}
		}
		spare, last = last, picture
		again := ticker.C
		if unplugged {
			again = nil
		}
		select {
		case <-changed:
		case <-plugged:
		case <-again:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// look returns the picture on a connector, drawn into spare if that fits, and a
// channel that is closed when it changes. The picture is nil if there is none.
func (c *Card) look(connector string, spare *image.NRGBA) (changed <-chan struct{}, picture *image.NRGBA, unplugged bool, err error) {
	if c.Device() == nil {
		return nil, nil, true, nil // it was never plugged
	}
	display, dev, err := c.display()
	if err != nil {
		return nil, nil, false, err
	}
	changed, unplugged = display.Changed(), dev.State() > drm.Live
	if unplugged {
		changed = nil
	}
	shown, _, err := c.lit(display, connector)
	var dark *darkError
	switch {
	case errors.As(err, &dark):
		return changed, nil, unplugged, nil
	case err != nil:
		return nil, nil, false, err
	}
	picture, err = shown.MonitorPicture(spare)
	if err != nil { // it was switched off just now, or its format cannot be read
		return changed, nil, unplugged, nil
	}
	return changed, picture, unplugged, nil
}
