package kms

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
)

// A CRC is the check sum of one frame.
type CRC struct {
	Frame uint32 // the lower half of the vblank counter
	Value uint32
}

// autoCRC is the name of the CRC source that every driver should have.
const autoCRC = "auto"

// CRCControl returns the contents of the debugfs file crtc-N/crc/control: the
// sources, one on each line, with a star after the chosen one.
func (c *CRTC) CRCControl() string {
	c.vblank.mu.Lock()
	defer c.vblank.mu.Unlock()
	var out strings.Builder
	for _, source := range c.config.CRCSources {
		out.WriteString(source)
		if source == c.crcSource {
			out.WriteString("*")
		}
		out.WriteString("\n")
	}
	return out.String()
}

// SetCRCControl is a write to that file, which chooses the source. Errors:
// EINVAL for a source that does not exist, EBUSY while a stream is open, E2BIG
// for more than a page.
func (c *CRTC) SetCRCControl(data []byte) error {
	const limit = 4096 - 1
	if len(data) > limit {
		return refuse(unix.E2BIG, "a CRC source of %d bytes for CRTC %d, the limit is %d", len(data), c.id, limit)
	}
	source, _, _ := strings.Cut(strings.TrimSuffix(string(data), "\n"), "\x00")
	switch {
	case len(data) == 0:
		return nil
	case !slices.Contains(c.config.CRCSources, source):
		return invalid("CRTC %d has no CRC source %.20q; it has %q", c.id, source, c.config.CRCSources)
	}
	c.vblank.mu.Lock()
	defer c.vblank.mu.Unlock()
	if c.vblank.capture.crc != nil {
		return refuse(unix.EBUSY, "choosing the CRC source of CRTC %d while CRCs are read", c.id)
	}
	c.crcSource = source
	return nil
}

// A CRCStream has the CRC of every frame that its CRTC shows while it is open:
// what the debugfs file crtc-N/crc/data is when it is opened
// (drm_debugfs_crc.c). The CRC is over the composed picture, as vkms computes
// it: CRC-32 that begins with 0 and is not inverted at the end, over lines of
// 16 bits a component in the order alpha, red, green, blue.
//
// All methods may be called concurrently.
type CRCStream struct {
	v *vblank

	mu      sync.Mutex
	entries []CRC
	end     error         // once no more will come
	changed chan struct{} // closed and replaced when something has changed; nil at first
}

// maxCRCs is how many wait to be read. More are lost.
const maxCRCs = 127

// OpenCRC starts the stream, of which there is one at a time. It ends with
// [CRCStream.Close]. Errors: EIO while the CRTC is off, EBUSY when there is a
// stream already.
func (c *CRTC) OpenCRC(dev *drm.RegisteredDevice) (*CRCStream, error) {
	v := &c.vblank
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.gone:
		return nil, refuse(unix.ENODEV, "CRCs of CRTC %d: the device is unplugged", c.id)
	case !v.time.running:
		return nil, refuse(unix.EIO, "CRCs of CRTC %d, which is off", c.id)
	case v.capture.crc != nil:
		return nil, refuse(unix.EBUSY, "CRCs of CRTC %d are read already", c.id)
	}
	v.capture.crc = &CRCStream{v: v}
	v.arm(dev)
	return v.capture.crc, nil
}

// Close ends the stream; nothing is composed for it any more. Who waits in
// Next gets EBADF.
func (s *CRCStream) Close() {
	s.v.mu.Lock()
	if s.v.capture.crc == s {
		s.v.capture.crc = nil // the next vblank is the last that is noticed
	}
	s.v.mu.Unlock()
	s.finish(unix.EBADF)
}

// finish says that no more CRCs come, and why.
func (s *CRCStream) finish(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.end == nil {
		s.end = err
	}
	s.wake()
}

// wake tells who waits. The caller holds mu.
func (s *CRCStream) wake() {
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// add adds the CRC of the vblanks from first to last.
func (s *CRCStream) add(first, last uint64, value uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n := first; n <= last; n++ {
		if s.end != nil || len(s.entries) == maxCRCs {
			break
		}
		s.entries = append(s.entries, CRC{uint32(n), value})
	}
	s.wake()
}

// Next returns the CRC of the next frame and waits for it if need be. Errors:
// the end of ctx, ENODEV after an unplug, EBADF after Close.
func (s *CRCStream) Next(ctx context.Context) (CRC, error) {
	for {
		crc, ok, changed, err := s.take()
		if ok || err != nil {
			return crc, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return CRC{}, context.Cause(ctx)
		}
	}
}

func (s *CRCStream) take() (crc CRC, ok bool, changed <-chan struct{}, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.entries) > 0 && s.end != unix.EBADF {
		crc = s.entries[0]
		s.entries = s.entries[1:]
		return crc, true, nil, nil
	}
	if s.end != nil {
		return crc, false, nil, fmt.Errorf("kms: CRCs of CRTC %d: %w", s.v.crtc.id, s.end)
	}
	if s.changed == nil {
		s.changed = make(chan struct{})
	}
	return crc, false, s.changed, nil
}

// Readable waits until Next would return at once, or for the end of ctx.
func (s *CRCStream) Readable(ctx context.Context) bool {
	for {
		s.mu.Lock()
		ready := len(s.entries) > 0 || s.end != nil
		if s.changed == nil {
			s.changed = make(chan struct{})
		}
		changed := s.changed
		s.mu.Unlock()
		if ready {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

// Line is the CRC as one read of the debugfs file returns it: both numbers as
// ten characters, a line feed, and a zero byte, which the kernel copies too.
func (c CRC) Line() []byte { return fmt.Appendf(nil, "0x%08x 0x%08x\n\x00", c.Frame, c.Value) }

// A lineCRC is a CRC in the making.
type lineCRC struct {
	crc   uint32
	bytes []byte // of a line
}

// add adds a line. The kernel's crc32_le neither begins nor ends with an
// inversion.
func (l *lineCRC) add(line []uint64) {
	l.bytes = l.bytes[:0]
	for _, p := range line {
		l.bytes = binary.LittleEndian.AppendUint64(l.bytes, p)
	}
	l.crc = ^crc32.Update(^l.crc, crc32.IEEETable, l.bytes)
}
