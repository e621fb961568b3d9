package picture

import (
	"errors"
	"image"
	"image/color"
	"path/filepath"
	"testing"
)

func plain(width, height int, c color.NRGBA) *image.NRGBA {
	p := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			p.SetNRGBA(x, y, c)
		}
	}
	return p
}

var grey = color.NRGBA{100, 100, 100, 255}

func TestCompare(t *testing.T) {
	want := plain(4, 3, grey)
	got := plain(4, 3, grey)
	got.SetNRGBA(2, 1, color.NRGBA{100, 110, 95, 255})
	got.SetNRGBA(3, 2, color.NRGBA{101, 100, 100, 255})
	mask := plain(4, 3, color.NRGBA{255, 255, 255, 255})
	mask.SetNRGBA(2, 1, color.NRGBA{A: 255})
	for _, tc := range []struct {
		name   string
		opts   Options
		pixels int
		first  image.Point
	}{
		{"exact", Options{}, 2, image.Pt(2, 1)},
		{"tolerance 1", Options{Tolerance: 1}, 1, image.Pt(2, 1)},
		{"tolerance 10", Options{Tolerance: 10}, 0, image.Point{}},
		{"mask", Options{Mask: mask}, 1, image.Pt(3, 2)},
		{"mask and tolerance", Options{Mask: mask, Tolerance: 1}, 0, image.Point{}},
	} {
		err := Compare(got, want, tc.opts)
		var d *Difference
		switch {
		case tc.pixels == 0:
			if err != nil {
				t.Errorf("%s: %v", tc.name, err)
			}
		case !errors.As(err, &d):
			t.Errorf("%s: no difference: %v", tc.name, err)
		case d.Pixels != tc.pixels || d.First != tc.first || d.Picture.NRGBAAt(tc.first.X, tc.first.Y) != (color.NRGBA{255, 0, 0, 255}):
			t.Errorf("%s: %v", tc.name, d)
		}
	}
	if err := Compare(plain(4, 4, grey), want, Options{}); err == nil || err.Error() != "the picture has 4x4 pixels, want 4x3" {
		t.Errorf("another size: %v", err)
	}
	if err := Compare(got, want, Options{Mask: plain(1, 1, grey)}); err == nil || err.Error() != "the mask has 1x1 pixels, the picture 4x3" {
		t.Errorf("a mask of another size: %v", err)
	}
}

func TestReadWrite(t *testing.T) {
	name := filepath.Join(t.TempDir(), "grey.png")
	if err := Write(name, plain(5, 4, grey)); err != nil {
		t.Fatal(err)
	}
	got, err := Read(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := Compare(got, plain(5, 4, grey), Options{}); err != nil {
		t.Error(err)
	}
	if _, err := Read("picture.go"); err == nil {
		t.Error("a Go file was read as a PNG file")
	}
}
