package picture

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math/rand/v2"
	"testing"
)

// drawings are kinds of pictures: what a pixel is.
var drawings = []struct {
	name string
	at   func(x, y int, random *rand.Rand) color.NRGBA
}{
	{"flat", func(int, int, *rand.Rand) color.NRGBA { return grey }},
	{"noise", func(_, _ int, random *rand.Rand) color.NRGBA {
		n := random.Uint32()
		return color.NRGBA{uint8(n), uint8(n >> 8), uint8(n >> 16), 255}
	}},
	{"gradient", func(x, y int, _ *rand.Rand) color.NRGBA {
		return color.NRGBA{uint8(x / 8), uint8(y / 8), uint8((x + y) / 16), 255}
	}},
	{"photo", func(x, y int, random *rand.Rand) color.NRGBA {
		n := random.Uint32()
		return color.NRGBA{uint8(x/16) + uint8(n&7), uint8(y/16) + uint8(n>>8&7), uint8(n >> 16 & 7), 255}
	}},
	{"text", func(x, y int, _ *rand.Rand) color.NRGBA {
		if h := uint32(x/9*31+y/17*17) * 2654435761; h>>(uint(x%9+y%17)&31)&1 == 1 && y%17 < 12 {
			return color.NRGBA{20, 20, 20, 255}
		}
		return color.NRGBA{250, 250, 240, 255}
	}},
	{"half noise", func(_, y int, random *rand.Rand) color.NRGBA {
		if y%400 < 200 {
			return grey
		}
		n := random.Uint32()
		return color.NRGBA{uint8(n), uint8(n >> 8), uint8(n >> 16), 255}
	}},
	{"transparent", func(x, y int, _ *rand.Rand) color.NRGBA { return color.NRGBA{uint8(x), uint8(y), 9, uint8(x * y)} }},
}

func paint(width, height int, at func(x, y int, random *rand.Rand) color.NRGBA) *image.NRGBA {
	random := rand.New(rand.NewPCG(1, 2))
	p := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			p.SetNRGBA(x, y, at(x, y, random))
		}
	}
	return p
}

// TestEncode reads pictures of many sizes back with image/png.
func TestEncode(t *testing.T) {
	for _, d := range drawings {
		for _, size := range []image.Point{{1, 1}, {1, 300}, {3, 2}, {17, 1}, {501, 401}, {180000, 3}} {
			want := paint(size.X, size.Y, d.at)
			var file bytes.Buffer
			if err := Encode(&file, want); err != nil {
				t.Errorf("%s of %v: %v", d.name, size, err)
				continue
			}
			decoded, err := png.Decode(&file)
			if err != nil {
				t.Errorf("%s of %v: reading it: %v", d.name, size, err)
				continue
			}
			if file.Len() != 0 {
				t.Errorf("%s of %v: %d bytes after the end", d.name, size, file.Len())
			}
			if got := nrgba(decoded); !bytes.Equal(got.Pix, want.Pix) {
				t.Errorf("%s of %v: another picture was read: %v", d.name, size, Compare(got, want, Options{}))
			}
		}
	}
}

// TestEncodePart encodes a part of a picture, and a picture of another type.
func TestEncodePart(t *testing.T) {
	whole := paint(100, 80, drawings[2].at)
	grey := image.NewGray(image.Rect(-3, -4, 5, 6))
	grey.SetGray(0, 0, color.Gray{77})
	for _, want := range []image.Image{whole.SubImage(image.Rect(10, 20, 90, 70)), grey} {
		var file bytes.Buffer
		if err := Encode(&file, want); err != nil {
			t.Fatal(err)
		}
		got, err := Decode(&file)
		if err != nil {
			t.Fatal(err)
		}
		if err := Compare(got, want, Options{}); err != nil {
			t.Error(err)
		}
	}
}

func TestEncodeNothing(t *testing.T) {
	if err := Encode(io.Discard, image.NewNRGBA(image.Rect(0, 0, 0, 5))); err == nil {
		t.Error("a picture without pixels was encoded")
	}
}

// brokenWriter accepts n bytes.
type brokenWriter struct{ n int }

func (w *brokenWriter) Write(p []byte) (int, error) {
	if len(p) > w.n {
		return 0, io.ErrShortWrite
	}
	w.n -= len(p)
	return len(p), nil
}

// TestEncodeFails writes to a file that is full at once, and later.
func TestEncodeFails(t *testing.T) {
	for _, n := range []int{0, 1 << 20} {
		if err := Encode(&brokenWriter{n}, paint(1000, 1000, drawings[1].at)); err == nil {
			t.Errorf("no error after %d bytes", n)
		}
	}
}

// TestEncodeSize compares the sizes of files with those of image/png.
func TestEncodeSize(t *testing.T) {
	for _, d := range drawings {
		p := paint(640, 360, d.at)
		var ours, theirs bytes.Buffer
		if err := Encode(&ours, p); err != nil {
			t.Fatal(err)
		}
		if err := (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&theirs, p); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d bytes, image/png: %d", d.name, ours.Len(), theirs.Len())
		if ours.Len() > 2*theirs.Len()+1<<13 {
			t.Errorf("%s: the file has %d bytes, that of image/png %d", d.name, ours.Len(), theirs.Len())
		}
	}
}

// BenchmarkEncode encodes 4K frames, beside image/png.
func BenchmarkEncode(b *testing.B) {
	reference := png.Encoder{CompressionLevel: png.BestSpeed}
	for _, d := range drawings {
		p := paint(3840, 2160, d.at)
		for _, encoder := range []struct {
			name   string
			encode func(io.Writer, image.Image) error
		}{{"picture", Encode}, {"image-png", reference.Encode}} {
			b.Run(fmt.Sprintf("%s/%s", d.name, encoder.name), func(b *testing.B) {
				for b.Loop() {
					if err := encoder.encode(io.Discard, p); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
