package fourcc_test

import (
	"fmt"

	"github.com/udrm/udrm/drm/fourcc"
	"github.com/udrm/udrm/drm/uapi"
)

func ExampleLookup() {
	f := fourcc.Lookup(uapi.FormatNV12)
	fmt.Println(f, "has", f.Planes, "planes")
	for plane := range f.Planes {
		w, h := f.PlaneSize(plane, 1920, 1080)
		fmt.Printf("plane %d: %d lines of %d bytes\n", plane, h, f.MinPitch(plane, w))
	}
	// Output:
	// NV12 has 2 planes
	// plane 0: 1080 lines of 1920 bytes
	// plane 1: 540 lines of 1920 bytes
}
