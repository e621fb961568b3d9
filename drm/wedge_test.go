package drm_test

import (
	"testing"

	"github.com/udrm/udrm/drm"
)

func TestCheckRecovery(t *testing.T) {
	for recovery, ok := range map[string]bool{
		"none": true, "rebind": true, "rebind,bus-reset": true, "none,rebind,bus-reset,vendor-specific": true, "unknown": true,
		"": false, "reboot": false, "bus-reset,rebind": false, "rebind,rebind": false, "rebind,": false, "rebind,unknown": false,
		"unknown,rebind": false, "rebind,,bus-reset": false,
	} {
		if err := drm.CheckRecovery(recovery); (err == nil) != ok {
			t.Errorf("%q: %v", recovery, err)
		}
	}
}
