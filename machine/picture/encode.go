package picture

import (
	"bufio"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/adler32"
	"hash/crc32"
	"image"
	"io"
	"io/fs"
	"mime"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"

	"github.com/udrm/udrm/internal/wholefile"
)

// CheckName returns an error if the name of a file is one of pictures that are not
// PNG, such as out.jpg.
func CheckName(name string) error {
	ext := filepath.Ext(name)
	kind := mime.TypeByExtension(strings.ToLower(ext))
	if !strings.HasPrefix(kind, "image/") || kind == "image/png" {
		return nil
	}
	return fmt.Errorf("%s: pictures are written as PNG, not as %s; write %s.png", name, kind, strings.TrimSuffix(name, ext))
}

// CheckFile returns an error if a picture cannot be written to the file, as far as
// this is known before there is a picture: see [CheckName], and the directory of
// the file may be missing.
func CheckFile(name string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	if name == "" {
		return errors.New("the name of the file is empty")
	}
	if _, err := os.Stat(filepath.Dir(name)); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: there is no directory %s", name, filepath.Dir(name))
	}
	return nil
}

// Write writes a picture to a PNG file, which has either its old content or the
// whole picture at any time. CheckName must accept the name.
func Write(name string, picture image.Image) error {
	if err := CheckName(name); err != nil {
		return err
	}
	return wholefile.Write(name, func(w io.Writer) error { return Encode(w, picture) })
}

// stripBytes is about how much of a picture is compressed at once. Strips are
// compressed independently of each other, so larger ones make smaller files.
const stripBytes = 1 << 19

// maxEncoders is the largest number of goroutines that compress one picture.
const maxEncoders = 4

// Encode writes a picture as PNG, with 8 bits per component. It is many times as
// fast as image/png, and its files are a little larger. The files have an alpha
// channel only if a pixel is not opaque.
func Encode(w io.Writer, picture image.Image) error {
	p := nrgba(picture)
	width, height := p.Rect.Dx(), p.Rect.Dy()
	if width <= 0 || height <= 0 {
		return errors.New("picture: no pixels to encode")
	}
	components, colourType := 3, byte(2)
	if !p.Opaque() {
		components, colourType = 4, 6
	}
	header := binary.BigEndian.AppendUint32(nil, uint32(width))
	header = binary.BigEndian.AppendUint32(header, uint32(height))
	header = append(header, 8, colourType, 0, 0, 0)

	out := bufio.NewWriter(w)
	out.WriteString("\x89PNG\r\n\x1a\n")
	writeChunk(out, "IHDR", header)
	// A zlib stream: its header, which says deflate with a window of 32 KiB,
	// the strips, and the checksum of what was compressed.
	writeChunk(out, "IDAT", []byte{0x78, 0x01})
	sum := uint32(1)
	for s := range strips(p, components) {
		writeChunk(out, "IDAT", s.data)
		sum = combineAdler32(sum, s.sum, s.size)
	}
	writeChunk(out, "IDAT", binary.BigEndian.AppendUint32(nil, sum))
	writeChunk(out, "IEND", nil)
	return out.Flush()
}

// writeChunk writes a PNG chunk. Flush returns its error.
func writeChunk(out *bufio.Writer, kind string, data []byte) {
	out.Write(binary.BigEndian.AppendUint32(nil, uint32(len(data))))
	out.WriteString(kind)
	out.Write(data)
	sum := crc32.Update(crc32.ChecksumIEEE([]byte(kind)), crc32.IEEETable, data)
	out.Write(binary.BigEndian.AppendUint32(nil, sum))
}

// combineAdler32 returns the checksum of two texts after each other, from the
// checksum of each and the size of the second one.
//
// The low half of a checksum is 1 plus the sum of the bytes. The high half is
// the sum of the low halves after each byte. So the second text adds its own
// halves, and its high half misses the low half of the first text, less 1, once
// for each byte.
func combineAdler32(first, second uint32, size int) uint32 {
	const mod = 65521
	a1, b1 := uint64(first&0xffff), uint64(first>>16)
	a2, b2 := uint64(second&0xffff), uint64(second>>16)
	a := (a1 + a2 + mod - 1) % mod
	b := (b1 + b2 + (a1+mod-1)%mod*(uint64(size)%mod)) % mod
	return uint32(b<<16 | a)
}

// A strip is some lines of a picture, filtered and compressed.
type strip struct {
	data []byte // a part of a deflate stream that ends at a byte
	sum  uint32 // the Adler-32 checksum of what was compressed
	size int    // of that, in bytes
}

// strips yields the strips of a picture from the top. Goroutines compress them,
// a few strips ahead of the caller.
func strips(p *image.NRGBA, components int) func(yield func(strip) bool) {
	return func(yield func(strip) bool) {
		lines := max(1, stripBytes/(p.Rect.Dx()*components))
		count := (p.Rect.Dy() + lines - 1) / lines
		encoders := min(runtime.NumCPU(), maxEncoders, count)
		done := make([]chan strip, count)
		for i := range done {
			done[i] = make(chan strip, 1)
		}
		ahead := make(chan struct{}, 2*encoders) // has a token for each strip that is compressed and not yielded
		var next atomic.Int64
		for range encoders {
			go func() {
				e := newStripEncoder(p, components)
				for {
					ahead <- struct{}{}
					i := int(next.Add(1)) - 1
					if i >= count {
						<-ahead
						return
					}
					done[i] <- e.encode(i*lines, min((i+1)*lines, p.Rect.Dy()))
				}
			}()
		}
		for i := range done {
			s := <-done[i]
			<-ahead
			if !yield(s) {
				panic("picture: strips must be yielded to the end") // or goroutines wait for ever
			}
		}
	}
}

// A stripEncoder compresses strips, one after the other.
type stripEncoder struct {
	picture    *image.NRGBA
	components int
	line, last []byte // bytes of two lines, without alpha if that is left out
	deflate    *flate.Writer
}

func newStripEncoder(p *image.NRGBA, components int) *stripEncoder {
	n := p.Rect.Dx() * components
	deflate, err := flate.NewWriter(nil, flate.BestSpeed)
	if err != nil {
		panic(err) // the level is wrong
	}
	return &stripEncoder{picture: p, components: components, line: make([]byte, n), last: make([]byte, n), deflate: deflate}
}

// encode compresses the lines from top to bottom, without bottom.
func (e *stripEncoder) encode(top, bottom int) strip {
	filtered := make([]byte, 0, (bottom-top)*(1+len(e.line)))
	clear(e.last) // the line above the picture
	if top > 0 {
		e.read(top - 1)
		e.line, e.last = e.last, e.line
	}
	for y := top; y < bottom; y++ {
		e.read(y)
		filtered = e.filter(filtered)
		e.line, e.last = e.last, e.line
	}
	s := strip{sum: adler32.Checksum(filtered), size: len(filtered)}
	final := bottom == e.picture.Rect.Dy()
	if e.compressible(filtered) {
		s.data = e.compress(filtered, final)
	} else {
		s.data = store(filtered, final)
	}
	return s
}

// read reads a line of the picture.
func (e *stripEncoder) read(y int) {
	pix := e.picture.Pix[y*e.picture.Stride:][:e.picture.Rect.Dx()*4]
	if e.components == 4 {
		copy(e.line, pix)
		return
	}
	line := e.line
	for len(pix) >= 4 && len(line) >= 3 {
		line[0], line[1], line[2] = pix[0], pix[1], pix[2]
		line, pix = line[3:], pix[4:]
	}
}

// The filters of PNG that are used: bytes as they are, or minus those of the
// pixel on the left, or minus those of the pixel above.
const (
	filterNone = iota
	filterSub
	filterUp
)

// filter appends the line, filtered such that it can be compressed well.
func (e *stripEncoder) filter(to []byte) []byte {
	line, n := e.line, e.components
	filter := e.chooseFilter()
	to = append(to, byte(filter))
	to = append(to, line...)
	filtered := to[len(to)-len(line):]
	switch filter {
	case filterSub:
		before := line[:len(line)-n]
		after := filtered[n:]
		for i := range after {
			after[i] -= before[i]
		}
	case filterUp:
		if bytes.Equal(line, e.last) {
			clear(filtered)
			break
		}
		last := e.last[:len(filtered)]
		for i := range filtered {
			filtered[i] -= last[i]
		}
	}
	return to
}

// chooseFilter returns the filter that makes the bytes of the line smallest, as
// the PNG specification recommends. It looks at every 13th pixel only.
func (e *stripEncoder) chooseFilter() int {
	if bytes.Equal(e.line, e.last) {
		return filterUp
	}
	var none, sub, up int
	n := e.components
	for x := n; x+n <= len(e.line); x += 13 * n {
		for i := x; i < x+n; i++ {
			b := e.line[i]
			none += magnitude(b)
			sub += magnitude(b - e.line[i-n])
			up += magnitude(b - e.last[i])
		}
	}
	switch least := min(none, sub, up); least {
	case none:
		return filterNone
	case sub:
		return filterSub
	}
	return filterUp
}

// magnitude returns the absolute value of b as a signed number.
func magnitude(b byte) int { return max(int(int8(b)), -int(int8(b))) }

// compressible reports whether it is worth while to compress the data: noise
// would only take time. It tries three samples.
func (e *stripEncoder) compressible(data []byte) bool {
	const size = 16384
	if len(data) <= 4*size {
		return true
	}
	var compressed bytes.Buffer
	for i := range 3 {
		e.deflate.Reset(&compressed)
		e.deflate.Write(data[(len(data)-size)*(i+1)/4:][:size])
		e.deflate.Close()
	}
	return compressed.Len() < 3*size*15/16
}

// compress returns data as compressed blocks, and if it is the last data, the
// end of the stream.
func (e *stripEncoder) compress(data []byte, final bool) []byte {
	var out bytes.Buffer
	e.deflate.Reset(&out)
	e.deflate.Write(data) // writing to a bytes.Buffer cannot fail
	if final {
		e.deflate.Close()
	} else {
		e.deflate.Flush()
	}
	return out.Bytes()
}

// store returns data as stored blocks of deflate.
func store(data []byte, final bool) []byte {
	const maxBlock = 1<<16 - 1
	out := make([]byte, 0, len(data)+5*(len(data)/maxBlock+1))
	for len(data) > 0 {
		block := data[:min(len(data), maxBlock)]
		data = data[len(block):]
		head := byte(0) // a stored block
		if final && len(data) == 0 {
			head = 1 // the last block
		}
		out = append(out, head)
		out = binary.LittleEndian.AppendUint16(out, uint16(len(block)))
		out = binary.LittleEndian.AppendUint16(out, ^uint16(len(block)))
		out = append(out, block...)
	}
	return out
}
