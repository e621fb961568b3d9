package host

import (
	"context"
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/uapi"
)

// Most structures of requests are the same for 32-bit programs: pointers in them
// have 64 bits. The others are converted here. Like the kernel, this looks at the
// type and the number of a request, not at the size in it.

// A compatStruct is a structure that 32-bit programs have in another layout: each
// field is that of a 64-bit program, with another offset or size.
type compatStruct struct {
	cmd    uint32 // of 64-bit programs
	size   int    // for 32-bit programs
	fields []compatField
}

// A compatField is one field: its offsets, and its sizes, which are multiples of 4.
type compatField struct{ at32, size32, at64, size64 int }

// words returns a field of n words of 32 bits in both layouts.
func words(at32, at64, n int) compatField { return compatField{at32, 4 * n, at64, 4 * n} }

// long returns a field of type long, or a pointer.
func long(at32, at64 int) compatField { return compatField{at32, 4, at64, 8} }

// An ioctler is a file that serves requests.
type ioctler interface {
	Ioctl(ctx context.Context, caller drm.Caller, cmd uint32, arg uint64) error
}

// send sends the request of the program to a file.
func (c *call) send(r *request, f ioctler) error {
	cmd, arg := uint32(c.arg(1)), c.arg(2)
	if c.compat != nil {
		if s := compatStructOf(cmd); s != nil {
			return c.sendCompat(r, f, s, arg)
		}
	}
	return c.host.class.Ioctl(r, f, r, cmd, arg)
}

func compatStructOf(cmd uint32) *compatStruct {
	for i := range compatStructs {
		if s := &compatStructs[i]; uapi.IOCType(cmd) == uapi.IOCType(s.cmd) && uapi.IOCNr(cmd) == uapi.IOCNr(s.cmd) {
			return s
		}
	}
	return nil
}

// sendCompat sends a request whose argument is converted.
func (c *call) sendCompat(r *request, f ioctler, s *compatStruct, addr uint64) error {
	short := make([]byte, s.size)
	if uapi.IOCDir(s.cmd) != uapi.IOCRead {
		if err := r.CopyFromUser(short, addr); err != nil {
			return err
		}
	}
	m := &compatMemory{request: r}
	for _, field := range s.fields {
		copy(m.arg[field.at64:field.at64+field.size64], short[field.at32:field.at32+field.size32])
	}
	err := c.host.class.Ioctl(r, f, m, s.cmd, compatArg)
	if err != nil && s.cmd != uapi.IoctlWaitVblank {
		return err
	}
	for _, field := range s.fields {
		copy(short[field.at32:field.at32+field.size32], m.arg[field.at64:])
	}
	if err := r.CopyToUser(addr, short); err != nil {
		return err
	}
	return err
}

// compatArg is the address of the converted argument. No pointer of a 32-bit
// program leads there.
const compatArg = 1 << 40

// A compatMemory is a request that finds the converted argument at compatArg.
type compatMemory struct {
	*request
	arg [256]byte // has room for each structure
}

// inArg returns the part of the converted argument that lies at addr, or nil.
func (m *compatMemory) inArg(addr uint64, n int) []byte {
	if addr < compatArg || addr-compatArg > uint64(len(m.arg)) || n > len(m.arg)-int(addr-compatArg) {
		return nil
	}
	return m.arg[addr-compatArg:][:n]
}

// CopyFromUser implements drm.Memory.
func (m *compatMemory) CopyFromUser(dst []byte, addr uint64) error {
	return m.CopyFromUserContext(m.request, dst, addr)
}

// CopyFromUserContext implements drm.ContextMemory.
func (m *compatMemory) CopyFromUserContext(ctx context.Context, dst []byte, addr uint64) error {
	if part := m.inArg(addr, len(dst)); part != nil {
		copy(dst, part)
		return nil
	}
	return m.request.CopyFromUserContext(ctx, dst, addr)
}

// CopyToUser implements drm.Memory.
func (m *compatMemory) CopyToUser(addr uint64, src []byte) error {
	return m.CopyToUserContext(m.request, addr, src)
}

// CopyToUserContext implements drm.ContextMemory.
func (m *compatMemory) CopyToUserContext(ctx context.Context, addr uint64, src []byte) error {
	if part := m.inArg(addr, len(src)); part != nil {
		copy(part, src)
		return nil
	}
	return m.request.CopyToUserContext(ctx, addr, src)
}

// compatStat returns the status of a file in a layout of 32-bit programs.
// EOVERFLOW if a number is too large.
func compatStat(st *unix.Statx_t, layout statusLayout) ([]byte, error) {
	dev, rdev := compatDev(st.Dev_major, st.Dev_minor), compatDev(st.Rdev_major, st.Rdev_minor)
	times := func(b []byte) []byte {
		for _, t := range []unix.StatxTimestamp{st.Atime, st.Mtime, st.Ctime} {
			b = binary.NativeEndian.AppendUint32(b, uint32(t.Sec))
			b = binary.NativeEndian.AppendUint32(b, t.Nsec)
		}
		return b
	}
	u16, u32, u64 := binary.NativeEndian.AppendUint16, binary.NativeEndian.AppendUint32, binary.NativeEndian.AppendUint64
	var b []byte
	if layout == longStatus {
		b = u32(u64(b, uint64(dev)), 0)
		for _, v := range []uint32{uint32(st.Ino), uint32(st.Mode), st.Nlink, st.Uid, st.Gid} {
			b = u32(b, v)
		}
		b = u32(u64(b, uint64(rdev)), 0)
		b = u64(u32(u64(b, st.Size), st.Blksize), st.Blocks)
		return u64(times(b), st.Ino), nil
	}
	if layout == oldStatus {
		return oldStat(st)
	}
	if st.Ino>>32 != 0 || st.Nlink>>16 != 0 || st.Size>>31 != 0 {
		return nil, unix.EOVERFLOW
	}
	b = u32(u32(b, dev), uint32(st.Ino))
	for _, v := range []uint16{st.Mode, uint16(st.Nlink), compatID(st.Uid), compatID(st.Gid)} {
		b = u16(b, v)
	}
	b = u32(u32(u32(u32(b, rdev), uint32(st.Size)), st.Blksize), uint32(st.Blocks))
	return u64(times(b), 0), nil
}

// oldStat makes a struct __old_kernel_stat. The inode numbers of a kernel's virtual
// files fit in its 16 bits. Those of udrm do not, so a part of them must do.
func oldStat(st *unix.Statx_t) ([]byte, error) {
	if st.Nlink>>16 != 0 {
		return nil, unix.EOVERFLOW
	}
	b := make([]byte, 0, 32)
	for _, v := range []uint16{
		uint16(compatDev(st.Dev_major, st.Dev_minor)), max(uint16(st.Ino^st.Ino>>16), 1), st.Mode, uint16(st.Nlink),
		compatID(st.Uid), compatID(st.Gid), uint16(compatDev(st.Rdev_major, st.Rdev_minor)), 0, // padding
	} {
		b = binary.NativeEndian.AppendUint16(b, v)
	}
	for _, v := range []uint32{uint32(st.Size), uint32(st.Atime.Sec), uint32(st.Mtime.Sec), uint32(st.Ctime.Sec)} {
		b = binary.NativeEndian.AppendUint32(b, v)
	}
	return b, nil
}

// compatDev encodes the number of a device in 32 bits.
func compatDev(major, minor uint32) uint32 {
	return minor&0xff | major<<8 | minor&^0xff<<12
}

// compatID returns a user or group id in 16 bits.
func compatID(id uint32) uint16 {
	const overflow = 65534
	if id>>16 != 0 {
		return overflow
	}
	return uint16(id)
}

// compatStatfs returns the status of a file system in a layout of 32-bit programs.
// EOVERFLOW if a number is too large.
func compatStatfs(st *unix.Statfs_t, layout statusLayout) ([]byte, error) {
	const spare = 4
	u32 := binary.NativeEndian.AppendUint32
	counts := []uint64{st.Blocks, st.Bfree, st.Bavail, st.Files, st.Ffree}
	b := u32(u32(nil, uint32(st.Type)), uint32(st.Bsize))
	for i, n := range counts {
		const unknown = ^uint64(0) // of files
		switch {
		case layout == longStatus:
			b = binary.NativeEndian.AppendUint64(b, n)
			continue
		case n>>32 != 0 && (i < 3 || n != unknown):
			return nil, unix.EOVERFLOW
		}
		b = u32(b, uint32(n))
	}
	for _, v := range []uint32{uint32(st.Fsid.Val[0]), uint32(st.Fsid.Val[1]), uint32(st.Namelen), uint32(st.Frsize), uint32(st.Flags)} {
		b = u32(b, v)
	}
	return append(b, make([]byte, 4*spare)...), nil
}

// compatStructs are the structures that differ: those of drm_ioc32.c and of the
// frame buffer's compat_ioctl in the kernel.
var compatStructs = []compatStruct{
	{uapi.IoctlVersion, 36, []compatField{words(0, 0, 3), long(12, 16), long(16, 24), long(20, 32), long(24, 40), long(28, 48), long(32, 56)}},
	{uapi.IoctlGetUnique, 8, []compatField{long(0, 0), long(4, 8)}},
	{uapi.IoctlGetClient, 24, []compatField{words(0, 0, 2), long(8, 8), long(12, 16), long(16, 24), long(20, 32)}},
	{uapi.IoctlGetStats, 124, []compatField{long(0, 0)}}, // without data: the rest stays zero
	{uapi.IoctlSetUnique, 8, []compatField{long(0, 0), long(4, 8)}},
	{uapi.IoctlWaitVblank, 16, []compatField{words(0, 0, 2), long(8, 8), long(12, 16)}},
	{uapi.IoctlModeAddFB2, 100, []compatField{words(0, 0, 17), words(68, 72, 8)}},
	// FBIOGET_FSCREENINFO, FBIOGETCMAP and FBIOPUTCMAP.
	{fbGetFixed, 68, []compatField{words(0, 0, 4), long(16, 16), words(20, 24, 6), words(44, 48, 1), long(48, 56), words(52, 64, 4)}},
	{fbGetColors, 24, fbColors},
	{fbPutColors, 24, fbColors},
}

// Requests of linux/fb.h.
const (
	fbGetFixed  = 0x4602
	fbGetColors = 0x4604
	fbPutColors = 0x4605
)

// fbColors are the fields of struct fb_cmap.
var fbColors = []compatField{words(0, 0, 2), long(8, 8), long(12, 16), long(16, 24), long(20, 32)}
