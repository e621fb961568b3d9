package docs

import (
	"image"
	"image/color"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/udrm/udrm/machine/picture"
)

// golden returns the picture that a compositor shows: color says what colour its
// pixels have.
func golden(color func(x, y int) color.NRGBA) *image.NRGBA {
	p := image.NewNRGBA(image.Rect(0, 0, 1024, 768))
	for y := range p.Rect.Dy() {
		for x := range p.Rect.Dx() {
			p.SetNRGBA(x, y, color(x, y))
		}
	}
	return p
}

// TestFourWays unplugs a card inside the third commit of a client, in each of
// the four ways of the page. The client tells how many commits succeeded.
func TestFourWays(t *testing.T) {
	dir := workplace(t)
	bin := t.TempDir()
	run(t, "..", "go", "build", "-o", filepath.Join(bin, "your-compositor"), "./internal/testprogs/compositor")
	fourWays(t, dir, bin, golden(func(x, y int) color.NRGBA {
		return color.NRGBA{R: byte(x), G: byte(y), B: byte(x + y), A: 255}
	}), "/dev/dri/card0: gone after 3 frames\n")
}

// fourWays runs the recipes in dir, with the program your-compositor of the
// directory bin, which shows a golden picture and prints a text.
func fourWays(t *testing.T, dir, bin string, golden *image.NRGBA, want string) {
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	if err := picture.Write(filepath.Join(dir, "golden.png"), golden); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"commandline.sh", "commands.sh", "test_unplug.py", "unplug_test.go"} {
		recipe(t, dir, "testing.md", file)
	}
	pythonClient(t, dir)
	module(t, dir)
	for _, way := range [][]string{
		{"./commandline.sh"}, {"./commands.sh"}, {"pytest-3", "-q", "-s", "test_unplug.py"}, {"go", "test", "-count=1", "-v", "."},
	} {
		t.Run(filepath.Base(way[0]), func(t *testing.T) {
			if out := run(t, dir, way[0], way[1:]...); !strings.Contains(out, want) {
				t.Errorf("no output %q:\n%s", want, out)
			}
		})
	}
}
