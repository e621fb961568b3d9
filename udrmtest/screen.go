package udrmtest

import (
	"context"
	"errors"
	"flag"
	"image"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/udrm/udrm/machine"
	"github.com/udrm/udrm/machine/picture"
)

// updateFlag is the flag that other packages of golden files use, too. Package
// flag panics if it is defined twice, so it may be that of another package.
const updateFlag = "update"

func init() {
	if flag.Lookup(updateFlag) == nil {
		flag.Bool(updateFlag, false, "udrmtest: write the golden pictures")
	}
}

// updating reports whether the flag is set.
func updating() bool {
	set, err := strconv.ParseBool(flag.Lookup(updateFlag).Value.String())
	return err == nil && set
}

// A Screen is the screen of a connector.
type Screen struct {
	m         *Machine
	card      *machine.Card
	connector string // "": the only one that shows a picture
}

// Frames returns the number of frames that the screen has shown since its card
// was plugged.
func (s *Screen) Frames() int {
	s.m.t.Helper()
	n, err := s.card.Frames(s.connector)
	s.m.check(err)
	return int(n)
}

// WaitFrames waits until the screen has shown n frames since its card was
// plugged.
func (s *Screen) WaitFrames(n int) {
	s.m.t.Helper()
	s.m.do(func(ctx context.Context) error { return s.card.WaitFrames(ctx, s.connector, uint64(n)) })
}

// Screenshot waits until the screen shows a picture, and returns the picture.
func (s *Screen) Screenshot() *image.NRGBA {
	s.m.t.Helper()
	s.m.do(func(ctx context.Context) error { return s.card.WaitLit(ctx, s.connector) })
	shown, err := s.card.Screenshot(s.connector)
	s.m.check(err)
	return shown
}

// WaitPicture waits until match accepts what the screen shows, and returns it.
func (s *Screen) WaitPicture(match func(*image.NRGBA) bool) *image.NRGBA {
	s.m.t.Helper()
	ctx, cancel := s.m.context()
	defer cancel()
	shown, err := s.card.WaitPicture(ctx, s.connector, func(p *image.NRGBA) error {
		if !match(p) {
			return errors.New("another picture is shown")
		}
		return nil
	})
	s.m.check(err)
	return shown
}

// Compare says how WantPictureLike compares pictures. The zero value compares
// every pixel exactly.
type Compare struct {
	// Tolerance is the largest difference of a component that still counts as
	// equal, out of 255.
	Tolerance int
	// Mask is the name of a PNG file. Where it is black, pixels are ignored.
	Mask string
}

// WantPicture waits until the screen shows the golden picture: a PNG file. If
// it does not, WantPicture fails the test and writes two files beside the golden
// one: NAME.got.png and NAME.diff.png. With the flag -update, it writes the
// golden picture instead.
func (s *Screen) WantPicture(golden string) { s.m.t.Helper(); s.WantPictureLike(golden, Compare{}) }

// WantPictureLike is WantPicture with a tolerance or a mask.
func (s *Screen) WantPictureLike(golden string, compare Compare) {
	s.m.t.Helper()
	if updating() {
		s.m.check(errors.Join(os.MkdirAll(filepath.Dir(golden), 0o777), picture.Write(golden, s.Screenshot())))
		s.m.t.Logf("udrmtest: wrote %s", golden)
		return
	}
	want, err := picture.Read(golden)
	if errors.Is(err, os.ErrNotExist) {
		s.m.t.Fatalf("udrmtest: there is no golden picture %s; run go test -update to write it", golden)
	}
	s.m.check(err)
	opts := picture.Options{Tolerance: compare.Tolerance}
	if compare.Mask != "" {
		opts.Mask, err = picture.Read(compare.Mask)
		s.m.check(err)
	}
	ctx, cancel := s.m.context()
	defer cancel()
	shown, err := s.card.WaitPicture(ctx, s.connector, func(p *image.NRGBA) error { return picture.Compare(p, want, opts) })
	base := strings.TrimSuffix(golden, ".png")
	got, diff := base+".got.png", base+".diff.png"
	os.Remove(got)
	os.Remove(diff)
	if err == nil {
		return
	}
	var difference *picture.Difference
	if errors.As(err, &difference) {
		err = errors.Join(err, picture.Write(got, shown))
		if difference.Picture != nil {
			err = errors.Join(err, picture.Write(diff, difference.Picture))
		}
		s.m.t.Fatalf("udrmtest: %s: %v\nsee %s and %s", golden, err, got, diff)
	}
	s.m.t.Fatalf("udrmtest: %s: %v", golden, err)
}
