package compose

import (
	"encoding/binary"
	"image"

	"github.com/udrm/udrm/drm/uapi"
)

// blockBits maps the YUV formats with blocks of two by two pixels in 64 bits to the
// bits of their samples. Each sample has the highest ones of 10 bits.
var blockBits = map[uint32]int{
	uapi.FormatY0L0: 8, uapi.FormatX0L0: 8,
	uapi.FormatY0L2: 10, uapi.FormatX0L2: 10,
}

// Where the samples of a block are, from the lowest bit: luma and alpha of the four
// pixels, line by line, and the colour differences that they share.
var (
	blockLuma  = [4]int{0, 20, 32, 52}
	blockAlpha = [4]int{30, 31, 62, 63}
)

const blockU, blockV = 10, 42

// blockSize is the memory that w by h pixels in blocks need. The pitch is half of
// the way from one row of blocks to the next.
func blockSize(w, h, pitch uint32) uint64 { return uint64(h-2)*uint64(pitch) + 4*uint64(w) }

// sampleBlocks returns the function that reads a format with blocks.
func (l *Layer) sampleBlocks(pixels []byte, bits int) sampler {
	matrix := deepMatrix(bits, l.Encoding, l.Range)
	row := 2 * int(l.Pitches[0])
	return func(line []uint64, p, step image.Point) {
		for i := range line {
			block := binary.LittleEndian.Uint64(pixels[p.Y/2*row+p.X/2*8:])
			sample := func(at int) uint16 { return uint16(block>>at&0x3ff) >> (10 - bits) }
			n := p.Y%2*2 + p.X%2
			line[i] = matrix.pixel(sample(blockLuma[n]), sample(blockU), sample(blockV))
			if l.Format.Alpha && block>>blockAlpha[n]&1 == 0 {
				line[i] &^= opaque
			}
			p = p.Add(step)
		}
	}
}
