package host_test

import (
	"os/exec"
	"sync"
	"testing"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/driver/vgem"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/gem"
	"github.com/udrm/udrm/host"
)

// TestDMABuf has programs look at dma-bufs from all sides, several of them at a
// time, and leaves nothing behind.
func TestDMABuf(t *testing.T) {
	for _, user := range users {
		t.Run(user.name, func(t *testing.T) {
			class := drm.NewClass()
			driver := vgem.NewDriver(class)
			drmtest.Bind(t, bus.New("platform"), "vgem", driver)
			h, err := host.New(class, host.Options{})
			if err != nil {
				t.Fatal(err)
			}
			var programs sync.WaitGroup
			for range 4 {
				programs.Go(func() { run(t, h, asUser(exec.Command(client, "dmabuf"), user.attr)) })
			}
			programs.Wait()
			if err := h.Close(); err != nil {
				t.Error(err)
			}
			if n := driver.Buffers().Objects(); n != 0 || gem.DMABufs() != 0 {
				t.Errorf("%d buffers and %d dma-bufs are left", n, gem.DMABufs())
			}
		})
	}
}
