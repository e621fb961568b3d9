package main

import (
	"context"
	"sync"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/uapi"
)

// emptyIoctl is a request of the driver without an argument.
var emptyIoctl = drm.NewIoctl(uapi.IO(uapi.CommandBase), 0,
	func(*drm.RegisteredDevice, *drm.Request, *struct{}) error { return nil })

// files are open files of a device, for goroutines that need one each.
type files struct {
	node *drm.Minor
	mu   sync.Mutex
	free []*drmtest.Client
	all  []*drmtest.Client
}

func (f *files) get() *drmtest.Client {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n := len(f.free); n > 0 {
		file := f.free[n-1]
		f.free = f.free[:n-1]
		return file
	}
	file, err := drmtest.OpenAs(f.node, drmtest.Self())
	must(err)
	f.all = append(f.all, file)
	return file
}

func (f *files) put(file *drmtest.Client) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.free = append(f.free, file)
}

func (f *files) close() {
	for _, file := range f.all {
		must(file.File.Close())
	}
}

// sendIoctls sends n empty requests from one goroutine.
func (f *files) sendIoctls(n int) {
	file := f.get()
	defer f.put(file)
	for range n {
		if file.File.Ioctl(context.Background(), file, uapi.IO(uapi.CommandBase), 0) != nil {
			refuse()
		}
	}
}
