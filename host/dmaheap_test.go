package host_test

import (
	"os/exec"
	"testing"
)

// TestMemoryDevices checks /dev/udmabuf and /dev/dma_heap/system, and that they
// leave nothing behind.
func TestMemoryDevices(t *testing.T) {
	for _, user := range users {
		t.Run(user.name, func(t *testing.T) {
			h, end := newVGEMHost(t)
			run(t, h, asUser(exec.Command(client, "memory"), user.attr))
			end()
		})
	}
}
