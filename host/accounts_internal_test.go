package host

import (
	"testing"

	"github.com/udrm/udrm/drm"
)

// TestLimitsForMemory checks that programs cannot fill a small memory with objects of
// this process.
func TestLimitsForMemory(t *testing.T) {
	for _, memory := range []int64{64 << 20, 400 << 20, 8 << 30, 1 << 40} {
		limits := limitsFor(memory)
		if n := limits[drm.Objects]; n <= 0 || n*objectBytes > memory/8 || n > maxObjects {
			t.Errorf("%d bytes of memory: %d objects", memory, n)
		}
		if limits[drm.BufferBytes] != memory {
			t.Errorf("%d bytes of memory: %d bytes of buffers", memory, limits[drm.BufferBytes])
		}
	}
	if size := memorySize(); size <= 0 {
		t.Errorf("this process may use %d bytes", size)
	}
}
