package compose

import (
	"fmt"
	"image"
	"math/bits"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/fourcc"
	"github.com/udrm/udrm/drm/uapi"
)

// A Layer is what a plane shows.
type Layer struct {
	// The framebuffer: its format, its size in pixels, and for each plane of
	// the format the memory from the first line on and the bytes from one
	// line to the next.
	Format        *fourcc.Format
	Width, Height uint32
	Planes        [4][]byte
	Pitches       [4]uint32
	Modifier      uint64 // of the layout; see fourcc.Format.Tile

	// The part of the framebuffer to show, in 1/65536 pixels. Where it is not
	// scaled, fractions of a pixel do not count, as in vkms.
	SrcX, SrcY, SrcW, SrcH uint32

	// Where to show it on the picture. It may extend beyond the picture.
	Dst image.Rectangle

	// Rotation has one of the uapi.ModeRotate bits and any uapi.ModeReflect
	// bits. The source is reflected first, then rotated counter-clockwise.
	Rotation uint32

	// Smooth has pixels interpolated where the layer is scaled. Otherwise each is
	// the nearest one of the source.
	Smooth bool

	Alpha uint16 // of the layer as a whole; 0xffff is opaque
	Blend BlendMode

	// For YUV formats, the values of COLOR_ENCODING and COLOR_RANGE.
	Encoding, Range uint32

	// Colors is done to the colours of the pixels before the layer is blended.
	Colors Color
}

// A layer is a Layer prepared for composing.
type layer struct {
	at           image.Rectangle // on the picture, clipped
	opaque       bool            // hides all that is below
	ignoresAlpha bool            // the alpha that read returns does not count
	read         sampler
	colors       Color
	weights      weights

	full     image.Rectangle // on the picture, not clipped
	rotation uint32
	x, y     axis        // from pixels of the unrotated destination to the source
	right    image.Point // the step in the source for one pixel to the right

	// If the scan direction is scaled, a line is gathered from a run of
	// consecutive source pixels: pixel i is columns[i] steps from the first.
	columns []int32
	run     int // pixels of the scratch memory that a line needs

	smooth *smooth // or nil

	// If lines of the picture are copies of its lines: its memory, or nil.
	rows    []byte
	pitch   int
	swapped bool // red comes first
}

// A sampler reads len(line) pixels of a framebuffer. The first is at p, and
// each of the next is one step further.
type sampler func(line []uint64, p, step image.Point)

// An axis maps pixels of the unrotated destination to pixels of the source.
type axis struct {
	start, size uint32 // of the source, in 1/65536 pixels
	pixels      uint64 // of the destination
}

func (a *axis) scaled() bool { return uint64(a.size) != a.pixels<<16 }

// at returns the source pixel for pixel u of the destination: the nearest one
// to the centre of u.
func (a *axis) at(u int) int {
	if !a.scaled() {
		return int(a.start>>16) + u
	}
	return int((uint64(a.start) + (2*uint64(u)+1)*uint64(a.size)/(2*a.pixels)) >> 16)
}

// maxDst bounds the sides of a destination: twice as many pixels times a
// source size must fit in 64 bits.
const maxDst = 1 << 31

// Add puts a layer on top of the picture. It returns EINVAL if the format
// cannot be read, or if the source does not lie within the memory.
func (p *Picture) Add(l *Layer) error {
	refuse := func(format string, args ...any) error {
		return fmt.Errorf("compose: "+format+": %w", append(args, unix.EINVAL)...)
	}
	switch {
	case l.Format == nil || !canRead(l.Format.Code):
		return refuse("cannot read format %v", l.Format)
	case uint64(l.SrcX)+uint64(l.SrcW) > uint64(l.Width)<<16 || uint64(l.SrcY)+uint64(l.SrcH) > uint64(l.Height)<<16:
		return refuse("source does not lie within %dx%d pixels", l.Width, l.Height)
	case yuvLayouts[l.Format.Code].packed && l.Width%uint32(l.Format.HSub) != 0:
		return refuse("%d pixels do not fill groups of %d", l.Width, l.Format.HSub)
	case blockBits[l.Format.Code] != 0 && (l.Width%2 != 0 || l.Height%2 != 0 || l.Modifier != uapi.FormatModLinear):
		return refuse("%dx%d pixels with modifier %#x are not blocks of 2x2", l.Width, l.Height, l.Modifier)
	case l.Dst.Dx() > maxDst || l.Dst.Dy() > maxDst:
		return refuse("destination of %dx%d pixels is too large", l.Dst.Dx(), l.Dst.Dy())
	case bits.OnesCount32(l.Rotation&uapi.ModeRotateMask) != 1:
		return refuse("rotation %#x does not have one angle", l.Rotation)
	case int(l.Encoding) >= len(yuvMatrices) || int(l.Range) >= len(yuvMatrices[0]):
		return refuse("unknown colour encoding %d or range %d", l.Encoding, l.Range)
	}
	at := l.Dst.Intersect(image.Rect(0, 0, p.Width, p.Height))
	if at.Empty() || l.SrcW == 0 || l.SrcH == 0 || l.Alpha == 0 {
		return nil
	}
	planes, err := l.trimmed()
	if err != nil {
		return refuse("%w", err)
	}
	n := layer{
		at: at, read: l.sampler(planes), colors: l.Colors, weights: l.weights(),
		opaque:       l.Alpha == opaque && (l.Blend == None || !l.Format.Alpha),
		ignoresAlpha: l.Blend == None && l.Format.Alpha,
		full:         l.Dst, rotation: l.Rotation,
	}
	w, h := uint64(l.Dst.Dx()), uint64(l.Dst.Dy())
	rotated := l.Rotation&(uapi.ModeRotate90|uapi.ModeRotate270) != 0
	if rotated {
		w, h = h, w
	}
	n.x, n.y = axis{l.SrcX, l.SrcW, w}, axis{l.SrcY, l.SrcH, h}
	if l.Smooth && (n.x.scaled() || n.y.scaled()) {
		n.smoothly(rotated)
	} else {
		n.scan(rotated)
		n.copyable(l, planes[0])
	}
	p.layers = append(p.layers, n)
	return nil
}

// trimmed returns the memory of each plane of the format, without what follows
// its last pixel.
func (l *Layer) trimmed() (planes [4][]byte, err error) {
	for i := range l.Format.Planes {
		w, h := l.Format.PlaneSize(i, l.Width, l.Height)
		need := uint64(h-1)*uint64(l.Pitches[i]) + l.Format.MinPitch(i, w)
		if tile, ok := l.Format.Tile(i, l.Modifier); ok {
			if l.Pitches[i]%tile.Width != 0 || uint64(l.Pitches[i]) < l.Format.MinPitch(i, w) {
				return planes, fmt.Errorf("plane %d has a pitch of %d, and tiles of %d bytes", i, l.Pitches[i], tile.Width)
			}
			need = tile.Size(h, l.Pitches[i])
		}
		if blockBits[l.Format.Code] != 0 {
			need = blockSize(w, h, l.Pitches[i])
		}
		if need > uint64(len(l.Planes[i])) {
			return planes, fmt.Errorf("plane %d needs %d bytes of memory, it has %d", i, need, len(l.Planes[i]))
		}
		planes[i] = l.Planes[i][:need:need]
	}
	return planes, nil
}

// scan prepares reading along lines of the picture, which are columns of the
// source if it is rotated by 90 or 270 degrees.
func (n *layer) scan(rotated bool) {
	along := &n.x
	if rotated {
		along = &n.y
	}
	n.right = unrotate(image.Pt(1, 0), n.full.Size(), n.rotation).Sub(unrotate(image.Point{}, n.full.Size(), n.rotation))
	if !along.scaled() {
		return
	}
	n.columns = make([]int32, n.at.Dx())
	first := n.source(n.at.Min)
	for i := range n.columns {
		d := n.source(n.at.Min.Add(image.Pt(i, 0))).Sub(first)
		n.columns[i] = int32(d.X*n.right.X + d.Y*n.right.Y)
	}
	n.run = int(n.columns[len(n.columns)-1]) + 1
}

// source returns the pixel of the framebuffer that is shown at p of the
// picture.
func (n *layer) source(p image.Point) image.Point {
	u := n.unrotated(p)
	return image.Pt(n.x.at(u.X), n.y.at(u.Y))
}

// unrotate undoes the rotation: it maps pixel p of a destination of the given
// size to the pixel of the destination that was not rotated.
func unrotate(p, size image.Point, rotation uint32) image.Point {
	src := size
	switch rotation & uapi.ModeRotateMask {
	case uapi.ModeRotate90:
		src = image.Pt(size.Y, size.X)
		p = image.Pt(src.X-1-p.Y, p.X)
	case uapi.ModeRotate180:
		p = image.Pt(src.X-1-p.X, src.Y-1-p.Y)
	case uapi.ModeRotate270:
		src = image.Pt(size.Y, size.X)
		p = image.Pt(p.Y, src.Y-1-p.X)
	}
	if rotation&uapi.ModeReflectX != 0 {
		p.X = src.X - 1 - p.X
	}
	if rotation&uapi.ModeReflectY != 0 {
		p.Y = src.Y - 1 - p.Y
	}
	return p
}

// canRead reports whether layers may have the format.
func canRead(code uint32) bool {
	_, yuv := yuvLayouts[code]
	_, packed := packings[code]
	_, twoPlanes := alphaPlanes[code]
	return yuv || packed || twoPlanes || readers[code] != nil || slices.Contains(bitFormats, code) || blockBits[code] != 0
}

// sampler returns the function that reads pixels of the layer.
func (l *Layer) sampler(planes [4][]byte) sampler {
	code := l.Format.Code
	if layout, ok := yuvLayouts[code]; ok {
		matrix := yuvMatrices[l.Encoding][l.Range]
		if layout.bits != 0 {
			matrix = deepMatrix(layout.bits, l.Encoding, l.Range)
		}
		return l.sampleYUV(planes, layout, &matrix)
	}
	if rgb, ok := alphaPlanes[code]; ok {
		return l.withAlpha(l.samplePacked(rgb, planes[0]), planes[1])
	}
	if bits := blockBits[code]; bits != 0 {
		return l.sampleBlocks(planes[0], bits)
	}
	return l.samplePacked(code, planes[0])
}

// samplePacked returns the function that reads pixels of one plane.
func (l *Layer) samplePacked(code uint32, pixels []byte) sampler {
	read := readers[code]
	if p, ok := packings[code]; ok {
		read = p.reader(l.Encoding, l.Range)
	}
	if read == nil {
		return l.sampleBits(pixels)
	}
	bytes, pitch := int(l.Format.BlockBytes[0]), int(l.Pitches[0])
	if tile, ok := l.Format.Tile(0, l.Modifier); ok {
		return func(line []uint64, p, step image.Point) {
			for i := range line {
				read(line[i:i+1], pixels, tile.Offset(p.X*bytes, p.Y, pitch), 0)
				p = p.Add(step)
			}
		}
	}
	return func(line []uint64, p, step image.Point) {
		read(line, pixels, p.Y*pitch+p.X*bytes, step.Y*pitch+step.X*bytes)
	}
}
