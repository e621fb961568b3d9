package lookalike_test

import (
	"cmp"
	"strings"
	"testing"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/driver/lookalike"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/internal/kmsclient"
)

// TestFDInfo checks what /proc/PID/fdinfo has for files of cards by the names of
// their drivers.
func TestFDInfo(t *testing.T) {
	for _, c := range []struct {
		driver string
		bus    lookalike.Bus
		want   string // of a file with a buffer of 1 MiB and an exported one of 4 KiB
	}{
		{"vkms", lookalike.Bus{Type: "platform"}, ""},
		{"msm", lookalike.Bus{Type: "platform"}, "drm-driver:\tmsm\ndrm-client-id:\t1\ndrm-client-name:\tcompositor\n" +
			"drm-total-memory:\t1028 KiB\ndrm-shared-memory:\t4 KiB\ndrm-resident-memory:\t1028 KiB\n"},
		{"i915", lookalike.Bus{Type: "pci", Name: "0000:00:02.0"}, "drm-driver:\ti915\ndrm-client-id:\t1\n" +
			"drm-pdev:\t0000:00:02.0\ndrm-client-name:\tcompositor\n" +
			"drm-total-system0:\t1028 KiB\ndrm-shared-system0:\t4 KiB\ndrm-active-system0:\t0\ndrm-resident-system0:\t1028 KiB\ndrm-purgeable-system0:\t0\n" +
			"drm-total-stolen-system0:\t0\ndrm-shared-stolen-system0:\t0\ndrm-active-stolen-system0:\t0\ndrm-resident-stolen-system0:\t0\ndrm-purgeable-stolen-system0:\t0\n"},
		{"amdgpu", lookalike.Bus{Type: "pci", Name: "0000:03:00.0"}, "drm-driver:\tamdgpu\ndrm-client-id:\t1\n" +
			"drm-pdev:\t0000:03:00.0\ndrm-client-name:\tcompositor\npasid:\t32768\n" + nothingIn("cpu") + nothingIn("gtt") +
			"drm-total-vram:\t1028 KiB\ndrm-shared-vram:\t4 KiB\ndrm-resident-vram:\t1028 KiB\ndrm-purgeable-vram:\t0\n" +
			nothingIn("gds") + nothingIn("gws") + nothingIn("oa") + nothingIn("doorbell") + nothingIn("mmioremap") +
			"drm-memory-vram:\t1028 KiB\ndrm-memory-gtt: \t0 KiB\ndrm-memory-cpu: \t0 KiB\n" +
			"amd-evicted-vram:\t0 KiB\namd-requested-vram:\t1028 KiB\namd-requested-gtt:\t0 KiB\n"},
	} {
		t.Run(c.driver, func(t *testing.T) {
			config := lookalike.Config{
				Info: drm.DriverInfo{Name: c.driver}, Bus: c.bus, Limits: kms.Limits{MaxWidth: 4096, MaxHeight: 4096},
				Planes:     []lookalike.Plane{{Type: uapi.PlaneTypePrimary, PossibleCRTCs: 1, Formats: []uint32{uapi.FormatXRGB8888}}},
				CRTCs:      []lookalike.CRTC{{}},
				Encoders:   []lookalike.Encoder{{PossibleCRTCs: 1}},
				Connectors: []lookalike.Connector{{Type: uapi.ModeConnectorHDMIA, PossibleEncoders: []int{0}}},
			}
			class := drm.NewClass(drm.ClassOptions{Logger: drmtest.NoReports(t)})
			bound := drmtest.Bind(t, bus.New(c.bus.Type), cmp.Or(c.bus.Name, "card"), lookalike.NewDriver(class, config).BusDriver())
			client := drmtest.Open(t, class.Minors()[0])
			file, k := client.File, kmsclient.New(client.Process())
			if got := file.FDInfo(); strings.Contains(got, "client-name") || strings.Contains(got, "1028 KiB") {
				t.Errorf("at first it is\n%s", got)
			}
			name := drmtest.PutSlice(client.Arena, []byte("compositor"))
			if err := drmtest.Ioctl(client, uapi.IoctlSetClientName, &uapi.SetClientName{NameLen: 10, Name: name}); err != nil {
				t.Fatal(err)
			}
			if _, err := k.CreateDumb(512, 512, 32); err != nil {
				t.Fatal(err)
			}
			small, err := k.CreateDumb(32, 32, 32)
			if err != nil {
				t.Fatal(err)
			}
			if err := drmtest.Ioctl(client, uapi.IoctlPrimeHandleToFD, &uapi.PrimeHandle{Handle: small.Handle}); err != nil {
				t.Fatal(err)
			}
			if got := file.FDInfo(); got != c.want {
				t.Errorf("it is\n%swant\n%s", got, c.want)
			}
			if err := bound.Unbind(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := file.FDInfo(); got != "" {
				t.Errorf("on an unplugged card it is\n%s", got)
			}
		})
	}
}

func nothingIn(region string) string {
	return strings.ReplaceAll("drm-total-REGION:\t0\ndrm-shared-REGION:\t0\ndrm-resident-REGION:\t0\ndrm-purgeable-REGION:\t0\n", "REGION", region)
}
