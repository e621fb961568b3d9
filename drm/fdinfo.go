package drm

import (
	"fmt"
	"strings"
)

// FDInfo returns the lines that /proc/PID/fdinfo has for the file alone
// (drm_show_fdinfo, Documentation/gpu/drm-usage-stats.rst). It returns "" if the
// driver has no FDInfo, if the device is unplugged or the file closed.
func (f *File) FDInfo() string {
	driver := f.minor.dev.driver
	if driver.FDInfo == nil || f.use() != nil {
		return ""
	}
	defer f.leave()
	var b strings.Builder
	_ = f.minor.dev.WithGuard(func(dev *RegisteredDevice) error { // fails if it is unplugged
		fmt.Fprintf(&b, "drm-driver:\t%s\ndrm-client-id:\t%d\n", driver.Info.Name, f.id)
		if address, ok := strings.CutPrefix(dev.busID(), "pci:"); ok {
			fmt.Fprintf(&b, "drm-pdev:\t%s\n", address)
		}
		if name := f.clientName(); name != "" {
			fmt.Fprintf(&b, "drm-client-name:\t%s\n", name)
		}
		b.WriteString(driver.FDInfo(dev, f))
		return nil
	})
	return b.String()
}

// ID returns the number of the file, which no other file of the class has had.
func (f *File) ID() uint64 { return f.id }
