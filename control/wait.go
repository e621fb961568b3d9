package control

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"net/http"
	"time"

	"github.com/udrm/udrm/machine"
	"github.com/udrm/udrm/machine/picture"
)

// defaultTimeout is the timeout of a [WaitRequest] that has none.
const defaultTimeout = "10s"

// maxPixels is how large a picture of a client can be.
const maxPixels = 8192 * 8192

// errTimeout is the cause of a wait that took too long.
var errTimeout = errors.New("the time is over")

func (s *Server) wait(w http.ResponseWriter, r *http.Request) (any, error) {
	c, err := s.card("wait", r)
	if err != nil {
		return nil, err
	}
	var request WaitRequest
	if err := decode(w, r, "wait "+c.Label(), &request); err != nil {
		return nil, err
	}
	if _, _, err := s.connector("wait", request.Connector, r); err != nil {
		return nil, err
	}
	asked := "wait " + place(c, request.Connector)
	if err := holdPictures(r, asked, request.Matches, request.Mask); err != nil {
		return nil, err
	}
	wait, timeout, err := request.parse()
	if err != nil {
		return nil, &Error{Code: CodeBadRequest, Asked: asked, Reason: err.Error()}
	}
	ctx, cancel := context.WithTimeoutCause(r.Context(), timeout, errTimeout)
	defer cancel()
	err = wait(ctx, c)
	if errors.Is(err, errTimeout) {
		return nil, &Error{Code: CodeTimeout, Asked: asked, Reason: err.Error(), Advice: fmt.Sprintf("check the program, or wait longer than %v", timeout)}
	}
	return finish("wait", asked, c, err)
}

// parse returns the function that waits.
func (r *WaitRequest) parse() (wait func(context.Context, *machine.Card) error, timeout time.Duration, err error) {
	if timeout, err = parseTimeout(r.Timeout); err != nil {
		return nil, 0, err
	}
	conditions := 0
	if r.Frames > 0 {
		conditions++
		wait = func(ctx context.Context, c *machine.Card) error { return c.WaitFrames(ctx, r.Connector, r.Frames) }
	}
	if r.Lit {
		conditions++
		wait = func(ctx context.Context, c *machine.Card) error { return c.WaitLit(ctx, r.Connector) }
	}
	if r.Matches != nil {
		conditions++
		want, err := decodePNG(r.Matches)
		if err != nil {
			return nil, 0, fmt.Errorf("matches: %w", err)
		}
		opts, err := pictureOptions(want, r.Tolerance, r.Mask)
		if err != nil {
			return nil, 0, err
		}
		wait = func(ctx context.Context, c *machine.Card) error {
			_, err := c.WaitPicture(ctx, r.Connector, func(p *image.NRGBA) error { return picture.Compare(p, want, opts) })
			return err
		}
	}
	switch {
	case conditions != 1:
		return nil, 0, errors.New("say what to wait for: frames, lit or matches, one of them")
	case r.Matches == nil && (r.Tolerance != 0 || r.Mask != nil):
		return nil, 0, errors.New("tolerance and mask need matches")
	}
	return wait, timeout, nil
}

// parseTimeout parses a timeout; "" is the default.
func parseTimeout(text string) (time.Duration, error) {
	timeout, err := time.ParseDuration(cmp.Or(text, defaultTimeout))
	if err != nil || timeout < 0 {
		return 0, fmt.Errorf("timeout: %q is not a time; write it as in 1500ms or 2m", text)
	}
	return timeout, nil
}

// pictureOptions returns which differences from the picture to ignore. The mask
// is a PNG, or nil.
func pictureOptions(want *image.NRGBA, tolerance int, mask []byte) (opts picture.Options, err error) {
	opts.Tolerance = tolerance
	if tolerance < 0 || tolerance > 255 {
		return opts, fmt.Errorf("tolerance %d is not a number from 0 to 255", tolerance)
	}
	if mask == nil {
		return opts, nil
	}
	if opts.Mask, err = decodePNG(mask); err != nil {
		return opts, fmt.Errorf("mask: %w", err)
	}
	if mask, size := opts.Mask.Rect.Size(), want.Rect.Size(); mask != size {
		return opts, fmt.Errorf("the mask has %dx%d pixels, the picture %dx%d", mask.X, mask.Y, size.X, size.Y)
	}
	return opts, nil
}

// holdPictures counts the memory that PNG pictures of a client need. What is no
// picture needs none.
func holdPictures(r *http.Request, asked string, pictures ...[]byte) error {
	for _, data := range pictures {
		c, err := png.DecodeConfig(bytes.NewReader(data))
		if err != nil || c.Width*c.Height > maxPixels {
			continue // decodePNG refuses it
		}
		// What png decodes can have 8 bytes a pixel, and its copy has 4.
		if err := hold(r, asked, 12*int64(c.Width)*int64(c.Height)); err != nil {
			return err
		}
	}
	return nil
}

// decodePNG decodes a picture of a client.
func decodePNG(data []byte) (*image.NRGBA, error) {
	c, err := png.DecodeConfig(bytes.NewReader(data))
	if err == nil && c.Width*c.Height > maxPixels {
		return nil, fmt.Errorf("%dx%d pixels are too many (limit %d)", c.Width, c.Height, maxPixels)
	}
	var decoded *image.NRGBA
	if err == nil {
		decoded, err = picture.Decode(bytes.NewReader(data))
	}
	if err != nil {
		return nil, fmt.Errorf("it is not a PNG picture: %w", err)
	}
	return decoded, nil
}
