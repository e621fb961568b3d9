package drm

import (
	"context"
	"fmt"

	"golang.org/x/sys/unix"
)

// Mmap resolves the offset of an mmap(2) of the file to memory. Errors: ENODEV
// when the device is unplugged, EINVAL for an offset that no part knows,
// EACCES when the file may not map it, EBADF when the file is closed.
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
	d := f.minor.dev
	err = d.guarded(&f.records, purpose{what: "mmap", file: f}, func(dev *RegisteredDevice) error {
		for _, p := range d.parts {
			mapper, ok := p.(MmapPart)
			if !ok {
				continue
			}
			if found, ok, err := mapper.Mmap(dev, f, offset, length); ok || err != nil {
				m = found
				return err
			}
		}
		return fmt.Errorf("drm: mapping %d bytes at %#x of %s: no buffer has this offset: %w", length, offset, d.Name(), unix.EINVAL)
	})
	return m, err
}
