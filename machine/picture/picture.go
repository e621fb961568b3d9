// Package picture reads, writes and compares pictures of screens.
//
// Start reading at [Compare].
package picture

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"os"
)

// Read reads a PNG file.
func Read(name string) (*image.NRGBA, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	decoded, err := Decode(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return decoded, nil
}

// Decode reads a PNG picture.
func Decode(r io.Reader) (*image.NRGBA, error) {
	decoded, err := png.Decode(r)
	if err != nil {
		return nil, err
	}
	return nrgba(decoded), nil
}

// nrgba returns the picture with 8 bits per component, its origin at 0,0.
func nrgba(picture image.Image) *image.NRGBA {
	if p, ok := picture.(*image.NRGBA); ok && p.Rect.Min == (image.Point{}) {
		return p
	}
	size := picture.Bounds().Size()
	p := image.NewNRGBA(image.Rectangle{Max: size})
	draw.Draw(p, p.Rect, picture, picture.Bounds().Min, draw.Src)
	return p
}

// Options say which differences [Compare] ignores.
type Options struct {
	// Tolerance is the largest difference of a component, red, green or blue,
	// that still counts as equal.
	Tolerance int
	// Mask selects the pixels to compare: those that are not black in the
	// mask. It has the size of the pictures. nil: all pixels.
	Mask *image.NRGBA
}

// A Difference is the error of [Compare] for pictures that differ.
type Difference struct {
	// Got and Want are the sizes of the pictures. If they differ, the other
	// fields are empty.
	Got, Want image.Point

	Pixels  int         // the number of pixels that differ
	First   image.Point // the first of them, line by line
	Largest int         // the largest difference of a component

	// Picture shows the pixels that differ in red, over a pale copy of the
	// wanted picture. Ignored pixels are black.
	Picture *image.NRGBA
}

func (d *Difference) Error() string {
	if d.Got != d.Want {
		return fmt.Sprintf("the picture has %dx%d pixels, want %dx%d", d.Got.X, d.Got.Y, d.Want.X, d.Want.Y)
	}
	return fmt.Sprintf("%d of %d pixels differ, the first at %d,%d, by at most %d of 255",
		d.Pixels, d.Got.X*d.Got.Y, d.First.X, d.First.Y, d.Largest)
}

// Compare compares the colours of two pictures. Its error is nil, a
// [*Difference], or an error of the mask.
func Compare(got, want image.Image, opts Options) error {
	g, w := nrgba(got), nrgba(want)
	d := &Difference{Got: g.Rect.Size(), Want: w.Rect.Size()}
	if d.Got != d.Want {
		return d
	}
	if m := opts.Mask; m != nil && m.Rect.Size() != d.Want {
		return fmt.Errorf("the mask has %dx%d pixels, the picture %dx%d", m.Rect.Dx(), m.Rect.Dy(), d.Want.X, d.Want.Y)
	}
	for y := range d.Want.Y {
		for x := range d.Want.X {
			if opts.ignores(x, y) {
				continue
			}
			if by := distance(g.NRGBAAt(x, y), w.NRGBAAt(x, y)); by > opts.Tolerance {
				if d.Pixels == 0 {
					d.First = image.Pt(x, y)
				}
				d.Pixels++
				d.Largest = max(d.Largest, by)
			}
		}
	}
	if d.Pixels == 0 {
		return nil
	}
	d.Picture = opts.show(g, w)
	return d
}

func (o *Options) ignores(x, y int) bool {
	if o.Mask == nil {
		return false
	}
	m := o.Mask.NRGBAAt(x, y)
	return m.R == 0 && m.G == 0 && m.B == 0
}

// show draws the picture of a [Difference].
func (o *Options) show(got, want *image.NRGBA) *image.NRGBA {
	picture := image.NewNRGBA(want.Rect)
	for y := range want.Rect.Dy() {
		for x := range want.Rect.Dx() {
			c := color.NRGBA{A: 255}
			switch w := want.NRGBAAt(x, y); {
			case o.ignores(x, y):
			case distance(got.NRGBAAt(x, y), w) > o.Tolerance:
				c.R = 255
			default:
				c.R, c.G, c.B = 170+w.R/3, 170+w.G/3, 170+w.B/3
			}
			picture.SetNRGBA(x, y, c)
		}
	}
	return picture
}

// distance returns the largest difference of a component.
func distance(a, b color.NRGBA) int {
	by := func(a, b uint8) int { return max(int(a)-int(b), int(b)-int(a)) }
	return max(by(a.R, b.R), by(a.G, b.G), by(a.B, b.B))
}
