package lookalike

import (
	"fmt"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
)

// protectionFiles returns the files of connectors that say which HDCP the monitor
// supports: all versions that the card asks for. Drivers of Intel's hardware have
// a name of their own for the file; other cards have amdgpu's.
func protectionFiles(driver string, display *kms.ModeConfig) []drm.DebugfsFile {
	name := "hdcp_sink_capability"
	if driver == "i915" || driver == "xe" {
		name = "i915_hdcp_sink_capability"
	}
	var files []drm.DebugfsFile
	for _, c := range display.Connectors() {
		if c.StandardProperty("Content Protection") == nil {
			continue
		}
		versions := "HDCP1.4 "
		if c.StandardProperty("HDCP Content Type") != nil {
			versions += "HDCP2.2 "
		}
		files = append(files, drm.DebugfsFile{Path: c.Name() + "/" + name, Show: func() string {
			supported := versions
			if connection, _ := c.Plugged(); connection != uapi.ModeConnected {
				supported = "None "
			}
			return fmt.Sprintf("%s:%d HDCP version: %s\n", c.Name(), c.ID(), supported)
		}})
	}
	return files
}
