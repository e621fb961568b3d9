package drm

import (
	"context"
	"fmt"

	"golang.org/x/sys/unix"
)

// Mmap resolves the offset of an mmap(2) of the file to memory. It fails with
// ENODEV if the device is unplugged, with EINVAL for an offset that no part
// knows, with EACCES if the file may not map it, and with EBADF if the file is
// closed.
func (f *File) Mmap(offset, length uint64) (m Mapping, err error) {
	m, err = f.mmap(offset, length)
	if ctx := context.Background(); err != nil && f.minor.dev.logsRefusals(ctx) {
		f.minor.dev.logRefusal(ctx, "mmap", f.minor.Name(), f.client, err)
	}
	return m, err
}

func (f *File) mmap(offset, length uint64) (m Mapping, err error) {
	if err := f.use(); err != nil {
		return m, err
	}
	defer f.leave()
	if f.minor.dev.traced() {
		call := &Call{Op: OpMmap, Context: context.Background(), Minor: f.minor, File: f, Offset: offset, Length: length}
		err = call.run(func() (err error) {
			m, err = f.guardedMmap(call, offset, length)
			return err
		})
		return m, err
	}
	return f.guardedMmap(nil, offset, length)
}

func (f *File) guardedMmap(call *Call, offset, length uint64) (m Mapping, err error) {
	err = f.minor.dev.guarded(&f.records, purpose{what: "mmap", file: f}, func(dev *RegisteredDevice) error {
		call.entered()
		err := call.guarded(nil)
		if err == nil {
			m, err = f.resolve(dev, offset, length)
		}
		return call.handled(err)
	})
	return m, err
}

// resolve finds the part that knows the offset.
func (f *File) resolve(dev *RegisteredDevice, offset, length uint64) (m Mapping, err error) {
	for _, p := range dev.parts {
		mapper, ok := p.(MmapPart)
		if !ok {
			continue
		}
		if found, ok, err := mapper.Mmap(dev, f, offset, length); ok || err != nil {
			return found, err
		}
	}
	return m, fmt.Errorf("drm: mapping %d bytes at %#x of %s: no buffer has this offset: %w", length, offset, dev.Name(), unix.EINVAL)
}
