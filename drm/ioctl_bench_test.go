package drm_test

import (
	"context"
	"os"
	"testing"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
)

// BenchmarkIoctl sends an empty request of a driver, in process.
func BenchmarkIoctl(b *testing.B) {
	toy := newToy(b, &drm.Driver{Ioctls: []drm.Ioctl{
		toyIoctl(0, 0, func(*drm.RegisteredDevice, *drm.Request) error { return nil }),
		toyIoctl(1, drm.IoctlAuth, func(*drm.RegisteredDevice, *drm.Request) error { return nil }),
	}})
	open := func(b *testing.B) *drm.File {
		f, err := toy.dev.Primary().Open(root, os.O_RDWR, nil)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { f.Close() })
		return f
	}
	run := func(b *testing.B, nr uint32, file func() *drm.File) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			f, caller, ctx := file(), &drmtest.Client{As: root}, context.Background()
			for pb.Next() {
				if err := f.Ioctl(ctx, caller, ioctlNr(nr), 0); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	b.Run("own-file", func(b *testing.B) { run(b, 0, func() *drm.File { return open(b) }) })
	b.Run("own-file-auth", func(b *testing.B) { run(b, 1, func() *drm.File { return open(b) }) })
	b.Run("one-file", func(b *testing.B) {
		f := open(b)
		run(b, 0, func() *drm.File { return f })
	})
}
