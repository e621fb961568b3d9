package edid

import (
	"bytes"
	"errors"
	"fmt"
)

// A block is the unit of an EDID. Its bytes add up to 0 modulo 256.
type block [blockSize]byte

const blockSize = 128

// header is the first bytes of a base block.
var header = []byte{0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0}

// minHeader is the number of header bytes that must be right for the others to
// be repaired.
const minHeader = 6

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

// headerScore returns the number of right bytes in the header.
func (b *block) headerScore() (n int) {
	for i, v := range header {
		if b[i] == v {
			n++
		}
	}
	return n
}

// checkBase checks a base block (edid_block_check).
func (b *block) checkBase() error {
	switch score := b.headerScore(); {
	case *b == block{}:
		return errors.New("base block is all zeros")
	case score < len(header):
		return fmt.Errorf("base block begins with % x, want % x", b[:len(header)], header)
	case b.sum() != 0:
		return fmt.Errorf("base block has checksum %#02x, want %#02x", b[127], b[127]-b.sum())
	case b[versionAt] != 1:
		return fmt.Errorf("version %d.%d is not supported, want 1.x", b[versionAt], b[versionAt+1])
	}
	return nil
}

// checkExtension checks an extension block. The checksum of a CTA block may be
// wrong: some devices that pass on EDIDs change the block without it.
func (b *block) checkExtension() error {
	if b.sum() != 0 && (b[0] != ctaTag || *b == block{}) {
		return fmt.Errorf("extension block has checksum %#02x, want %#02x", b[127], b[127]-b.sum())
	}
	return nil
}

// Repair returns an EDID as the kernel stores it after reading data from a
// monitor (drm_edid_read). Repair corrects a header with at most two wrong
// bytes. It drops bad extension blocks and what follows the last block. It
// accepts a CTA block with a wrong checksum. The error says why there is no
// EDID.
func Repair(data []byte) ([]byte, error) {
	if len(data) < blockSize {
		return nil, fmt.Errorf("edid: %d bytes, want at least %d", len(data), blockSize)
	}
	base := block(data)
	if score := base.headerScore(); score >= minHeader && score < len(header) {
		copy(base[:], header)
	}
	if err := base.checkBase(); err != nil {
		return nil, fmt.Errorf("edid: %w", err)
	}
	blocks := []block{base}
	count := int(base[extensionsAt]) + 1
	bad := false
	for i := 1; i < count; i++ {
		if len(data) < (i+1)*blockSize {
			return nil, fmt.Errorf("edid: cut off: %d blocks of %d", len(data)/blockSize, count)
		}
		b := block(data[i*blockSize:])
		blocks = append(blocks, b)
		if b.checkExtension() != nil {
			bad = true
		} else if i == 1 {
			count = max(count, extensionOverride(&b)+1)
		}
	}
	if bad {
		blocks = filter(blocks[:min(len(blocks), int(base[extensionsAt])+1)])
	}
	return join(blocks), nil
}

// filter drops bad extension blocks (edid_filter_invalid_blocks).
func filter(blocks []block) (good []block) {
	for i, b := range blocks {
		if i == 0 || b.checkExtension() == nil {
			good = append(good, b)
		}
	}
	good[0][extensionsAt] = byte(len(good) - 1)
	good[0].seal()
	return good
}

func join(blocks []block) (data []byte) {
	for i := range blocks {
		data = append(data, blocks[i][:]...)
	}
	return data
}

// Check returns nil if the EDID is valid as it is, without any repair
// (drm_edid_valid).
func Check(data []byte) error {
	if len(data) < blockSize || len(data)%blockSize != 0 {
		return fmt.Errorf("edid: %d bytes, want a multiple of %d", len(data), blockSize)
	}
	fixed, err := Repair(data)
	if err != nil {
		return err
	}
	if !bytes.Equal(fixed, data) || len(split(data))*blockSize != len(data) {
		return errors.New("edid: damaged, or of a size other than it says")
	}
	return nil
}

// split returns the blocks of a repaired EDID that count. A CTA block can
// override the number of blocks in the base block.
func split(data []byte) (blocks []block) {
	for len(data) >= blockSize {
		blocks = append(blocks, block(data))
		data = data[blockSize:]
	}
	count := int(blocks[0][extensionsAt]) + 1
	if len(blocks) >= 2 && count > 1 {
		if n := extensionOverride(&blocks[1]); n != 0 {
			count = n + 1
		}
	}
	return blocks[:min(count, len(blocks))]
}

// extensionOverride returns the number of extension blocks that the first of
// them states, or 0 if it states none (HF-EEODB of HDMI 2.1).
func extensionOverride(b *block) int {
	const dataBlock, length = ctaData, 2
	if b[0] != ctaTag || b[1] < ctaRevision || b[2] < ctaData+3 || b[2] > 127 {
		return 0
	}
	if b[dataBlock]>>5 != ctaExtended || b[dataBlock]&0x1f < length || b[dataBlock+1] != ctaExtensionOverride {
		return 0
	}
	return int(b[dataBlock+2])
}
