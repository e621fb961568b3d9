package host_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/host"
)

// BenchmarkNeighbour measures an honest program that flips on one card, alone
// and beside programs that flood the host. The goals on an unloaded machine of
// two processors are 58 flips per second of 59.7, a 99th percentile of 20 ms,
// and opens that take at most twice as long as alone.
//
//	go test -run - -bench Neighbour -benchtime 1x ./host
func BenchmarkNeighbour(b *testing.B) {
	var alone float64 // an open, in µs
	for _, beside := range []string{
		"", "flood spin 4", "flood ioctl 4", "flood stat 4", "flood open 4", "flood map 4", "flood close 2", "flood fbclose 2", "flood socket 4",
		"flood fill 2", "flood many 4", "flood links 4", "flood write 2", "flood export 4", "flood pass 4", "flood list 4", "flood watch 4", "flood dev 4",
		"flood attribute 4", "flood database 4", "flood exec 4", "reads 4200",
		"more dumb", "more dumbmap", "more fb", "more blob", "more name", "more syncobj", "more timeline", "more file", "more dmabuf", "more lease",
		"more control", "more snapshot",
	} {
		name := beside
		if beside == "" {
			name = "alone"
		}
		b.Run(strings.ReplaceAll(name, " ", "_"), func(b *testing.B) {
			class := drm.NewClass(drm.ClassOptions{})
			platform := bus.New("platform")
			first := drmtest.Bind(b, platform, "vkms", vkms.NewDriver(class, vkms.ConfigOf(drm.Linux612)).BusDriver())
			drmtest.Bind(b, platform, "vkms.1", vkms.NewDriver(class, vkms.ConfigOf(drm.Linux612)).BusDriver())
			// As the command does.
			h := newHost(b, class, host.Options{RaiseGOMAXPROCS: true, RaiseDescriptorLimit: true, EveryUser: true})
			a := &arena{h, b, class, first}
			var flood *attack
			if beside != "" {
				flood = a.begin(nobody, strings.Fields(beside)...).holding()
			}
			var flips, p99, open float64
			for range b.N {
				m := a.begin(nobody, "measure", "5s")
				line := m.line()
				m.end()
				if _, err := fmt.Sscan(line, &flips, &p99, &open); err != nil {
					b.Fatalf("the neighbour printed %q", line)
				}
			}
			if flood != nil {
				flood.kill()
			}
			if alone == 0 {
				alone = open
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(flips, "flips/s")
			b.ReportMetric(p99/1000, "p99-ms")
			b.ReportMetric(open, "open-µs")
			b.ReportMetric(open/alone, "open/alone")
		})
	}
}
