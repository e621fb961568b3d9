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

// A CRC is the checksum of one frame.
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
		return refuse(unix.E2BIG, "CRC source for CRTC %d: %d bytes are too many (limit %d)", c.id, len(data), limit)
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
		return refuse(unix.EBUSY, "CRC source for CRTC %d: cannot change while CRCs are read", c.id)
	}
	c.crcSource = source
	return nil
}

// A CRCStream delivers the CRC of every frame that its CRTC shows while the
// stream is open. It is the debugfs file crtc-N/crc/data (drm_debugfs_crc.c).
//
// The CRC is computed as vkms does: over the composed picture, in lines of 16
// bits per component in the order alpha, red, green, blue. It is a CRC-32 that
// starts with 0 and is not inverted at the end. With the property "max bpc", the
// colours are rounded to the bits of the signal before, as hardware computes it.
//
// All methods may be called concurrently.
type CRCStream struct {
	v *vblank

	mu      sync.Mutex
	entries []CRC
	end     error         // why no more CRCs come; nil while they do
	changed chan struct{} // closed at the next change; nil if no one waits
}

// maxCRCs is the number of CRCs that can wait to be read. More are lost.
const maxCRCs = 127

// OpenCRC starts a stream. A CRTC has at most one at a time. Errors: EIO if the
// CRTC is off, EBUSY if there is a stream, ENODEV after an unplug.
func (c *CRTC) OpenCRC(dev *drm.RegisteredDevice) (*CRCStream, error) {
	v := &c.vblank
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.gone:
		return nil, refuse(unix.ENODEV, "CRCs of CRTC %d: device unplugged", c.id)
	case !v.time.running:
		return nil, refuse(unix.EIO, "CRCs of CRTC %d: it is off", c.id)
	case v.capture.crc != nil:
		return nil, refuse(unix.EBUSY, "CRCs of CRTC %d: already being read", c.id)
	}
	v.capture.crc = &CRCStream{v: v}
	v.arm(dev)
	return v.capture.crc, nil
}

// Close ends the stream. Next then returns EBADF.
func (s *CRCStream) Close() {
	s.v.mu.Lock()
	if s.v.capture.crc == s {
		s.v.capture.crc = nil // so that the next vblank stops the timer
	}
	s.v.mu.Unlock()
	s.finish(unix.EBADF)
}

// finish ends the stream with err.
func (s *CRCStream) finish(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.end == nil {
		s.end = err
	}
	s.wake()
}

// wake wakes the readers. The caller holds mu.
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

// Next waits for the CRC of the next frame and returns it. Errors: the cause of
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

// Readable waits until Next would return at once. It reports false if ctx ends
// first.
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

// Line returns the CRC as one read of the debugfs file returns it: both numbers
// as ten characters, a line feed, and a zero byte, which the kernel copies too.
func (c CRC) Line() []byte { return fmt.Appendf(nil, "0x%08x 0x%08x\n\x00", c.Frame, c.Value) }

// signalDepth returns the bits per component of the signal of c, or 0 if its
// connectors have no property "max bpc". The state must be current.
func (m *ModeConfig) signalDepth(c *CRTC, s *State) (depth uint) {
	for _, connector := range m.Connectors() {
		bits := uint(connector.standardValue(s, "max bpc"))
		if bits == 0 || s.connector(connector).CRTC != c {
			continue
		}
		if monitor := uint(connector.lastProbe().bpc); monitor != 0 {
			bits = min(bits, monitor)
		}
		if depth == 0 || bits < depth {
			depth = bits
		}
	}
	return depth
}

// A lineCRC computes a CRC line by line.
type lineCRC struct {
	depth uint // bits to which colours are rounded; 0 for all
	crc   uint32
	bytes []byte // of a line
}

// add adds a line. The kernel's crc32_le neither begins nor ends with an
// inversion.
func (l *lineCRC) add(line []uint64) {
	l.bytes = l.bytes[:0]
	for _, p := range line {
		if l.depth != 0 && l.depth < 16 {
			p = p&0xffff | rounded(p>>16, l.depth)<<16 | rounded(p>>32, l.depth)<<32 | rounded(p>>48, l.depth)<<48
		}
		l.bytes = binary.LittleEndian.AppendUint64(l.bytes, p)
	}
	l.crc = ^crc32.Update(^l.crc, crc32.IEEETable, l.bytes)
}

// rounded rounds the lower 16 bits of v to depth bits, which must be at least 4.
// They are repeated in the lower bits.
func rounded(v uint64, depth uint) uint64 {
	v = (v&0xffff*(1<<depth-1) + 0x7fff) / 0xffff << (16 - depth)
	v |= v >> depth
	return v | v>>(2*depth)
}
