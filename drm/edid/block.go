package edid

import (
	"bytes"
	"errors"
	"fmt"
)

// A block is the unit of an EDID: its bytes add up to 0 modulo 256.
type block [128]byte

// header is how a base block begins.
var header = []byte{0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0}

func (b *block) sum() (sum byte) {
	for _, v := range b {
		sum += v
	}
	return sum
}

// seal sets the checksum.
func (b *block) seal() {
	b[127] = 0
	b[127] = -b.sum()
}

// split returns the blocks of an EDID, with a base block and intact. There may
// be more of them than the base block says: HDMI 2.1 counts elsewhere.
func split(data []byte) ([]block, error) {
	const size = len(block{})
	switch {
	case len(data) == 0:
		return nil, errors.New("edid: it is empty")
	case len(data) < size:
		return nil, fmt.Errorf("edid: %d bytes: an EDID has at least %d", len(data), size)
	case !bytes.HasPrefix(data, header):
		return nil, fmt.Errorf("edid: it begins with % x, not with % x: it is no EDID in binary form", data[:8], header)
	case len(data)%size != 0:
		return nil, fmt.Errorf("edid: %d bytes: an EDID has a multiple of %d", len(data), size)
	}
	var blocks []block
	for i := 0; i < len(data); i += size {
		b := block(data[i:])
		if sum := b.sum(); sum != 0 {
			return nil, fmt.Errorf("edid: block %d: its checksum is %#02x, that of its bytes %#02x: it is damaged, or was edited", len(blocks), b[127], b[127]-sum)
		}
		blocks = append(blocks, b)
	}
	if version := blocks[0][versionAt]; version != 1 {
		return nil, fmt.Errorf("edid: version %d.%d: only 1.x is known", version, blocks[0][versionAt+1])
	}
	if want := int(blocks[0][extensionsAt]) + 1; len(blocks) < want {
		return nil, fmt.Errorf("edid: it is cut off: it has %d blocks, and says that it has %d", len(blocks), want)
	}
	return blocks, nil
}
