package control

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"

	"github.com/udrm/udrm/machine/picture"
)

// A CompareRequest says what the picture on a connector should be.
type CompareRequest struct {
	// Connector is the connector to look at. "" is the only one of the card
	// that shows a picture.
	Connector string `json:"connector,omitempty"`

	Picture   []byte `json:"picture"`             // the wanted picture, a PNG
	Tolerance int    `json:"tolerance,omitempty"` // the largest difference of a component, out of 255
	Mask      []byte `json:"mask,omitempty"`      // a PNG; where it is black, pixels are ignored
}

// A Comparison says how the picture on a connector differs from the wanted one.
type Comparison struct {
	Equal      bool   `json:"equal"`
	Reason     string `json:"reason,omitempty"`     // how they differ, in words
	Pixels     int    `json:"pixels,omitempty"`     // the number of pixels that differ; 0 if the sizes differ
	Largest    int    `json:"largest,omitempty"`    // the largest difference of a component, out of 255
	Difference []byte `json:"difference,omitempty"` // a PNG with those pixels in red; none if the sizes differ
}

func (s *Server) compare(w http.ResponseWriter, r *http.Request) (any, error) {
	c, err := s.card("compare", r)
	if err != nil {
		return nil, err
	}
	var request CompareRequest
	if err := decode(w, r, "compare "+c.Label(), &request); err != nil {
		return nil, err
	}
	if _, _, err := s.connector("compare", request.Connector, r); err != nil {
		return nil, err
	}
	asked := "compare " + place(c, request.Connector)
	bad := func(err error) error { return &Error{Code: CodeBadRequest, Asked: asked, Reason: err.Error()} }
	if request.Picture == nil {
		return nil, bad(errors.New("there is no picture to compare with"))
	}
	if err := holdPictures(r, asked, request.Picture, request.Mask); err != nil {
		return nil, err
	}
	want, err := decodePNG(request.Picture)
	if err != nil {
		return nil, bad(fmt.Errorf("picture: %w", err))
	}
	opts, err := pictureOptions(want, request.Tolerance, request.Mask)
	if err != nil {
		return nil, bad(err)
	}
	got, err := c.Screenshot(request.Connector)
	if err != nil {
		return nil, refuse("screenshot", asked, c, err)
	}
	err = picture.Compare(got, want, opts)
	var d *picture.Difference
	switch {
	case err == nil:
		return Comparison{Equal: true}, nil
	case !errors.As(err, &d):
		return nil, bad(err)
	}
	answer := Comparison{Reason: d.Error(), Pixels: d.Pixels, Largest: d.Largest}
	if d.Picture != nil {
		var encoded bytes.Buffer
		if err := picture.Encode(&encoded, d.Picture); err != nil {
			return nil, bad(err)
		}
		answer.Difference = encoded.Bytes()
	}
	return answer, nil
}
