package udrmtest_test

import (
	"image"
	"image/color"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/udrm/udrm/machine/picture"
)

// TestReadme runs the test of the README, verbatim, in a module of its own that
// imports nothing but udrmtest.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(readme), "```go\npackage compositor\n")
	source, _, closed := strings.Cut(rest, "```")
	if !found || !closed {
		t.Fatal("README.md has no block of Go code that begins with \"package compositor\"")
	}
	if n := strings.Count(source[strings.Index(source, "func Test"):], "\n"); n > 15 {
		t.Errorf("the test of the README has %d lines, the limit is 15", n)
	}
	repository, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile("../go.sum")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write("compositor_test.go", "package compositor\n"+source)
	write("go.mod", "module example.com/compositor\n\ngo 1.26.0\n\nrequire github.com/udrm/udrm v0.0.0\n\nreplace github.com/udrm/udrm => "+repository+"\n")
	write("go.sum", string(sums))
	golden := filepath.Join(dir, "testdata", "bars.png")
	if err := os.Mkdir(filepath.Dir(golden), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := picture.Write(golden, bars(1024, 768)); err != nil {
		t.Fatal(err)
	}
	if out, err := goTest(dir); err != nil {
		t.Errorf("with the golden picture: %v\n%s", err, out)
	}
	if err := picture.Write(golden, bars(1024, 767)); err != nil {
		t.Fatal(err)
	}
	if out, err := goTest(dir, "-update"); err != nil {
		t.Errorf("-update: %v\n%s", err, out)
	}
	updated, err := picture.Read(golden)
	if err == nil {
		err = picture.Compare(updated, bars(1024, 768), picture.Options{})
	}
	if err != nil {
		t.Errorf("-update wrote another picture: %v", err)
	}
}

// goTest runs the tests of the module in dir, without the network.
func goTest(dir string, args ...string) (string, error) {
	cmd := exec.Command("go", append([]string{"test", "-count=1", "."}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off", "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// bars returns the picture that modetest draws: colour bars after SMPTE EG 1.
func bars(width, height int) *image.NRGBA {
	const black = 0x131313
	top := [...]uint32{0xc0c0c0, 0xc0c000, 0x00c0c0, 0x00c000, 0xc000c0, 0xc00000, 0x0000c0}
	middle := [...]uint32{0x0000c0, black, 0xc000c0, black, 0x00c0c0, black, 0xc0c0c0}
	wide := [...]uint32{0x00214c, 0xffffff, 0x32006a, black} // in phase, white, quadrature
	narrow := [...]uint32{0x090909, black, 0x1d1d1d, black}  // 3.5, 7.5 and 11.5 %
	picture := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			c := uint32(black)
			switch {
			case y < height*6/9:
				c = top[x*7/width]
			case y < height*7/9:
				c = middle[x*7/width]
			case x < width*5/7:
				c = wide[x*4/(width*5/7)]
			case x < width*6/7:
				c = narrow[(x-width*5/7)*3/(width/7)]
			}
			picture.SetNRGBA(x, y, color.NRGBA{uint8(c >> 16), uint8(c >> 8), uint8(c), 255})
		}
	}
	return picture
}
