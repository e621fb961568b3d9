package edid_test

import (
	"fmt"
	"log"

	"github.com/udrm/udrm/drm/edid"
	"github.com/udrm/udrm/drm/mode"
)

// Encode makes the EDID of a monitor, and Parse reads it.
func Example() {
	monitor := edid.Monitor{Name: "Example", WidthMM: 600, HeightMM: 340}
	for _, size := range [][2]int{{2560, 1440}, {1920, 1080}} {
		m, err := mode.For(size[0], size[1], 60)
		if err != nil {
			log.Fatal(err)
		}
		monitor.Modes = append(monitor.Modes, m)
	}
	data, err := monitor.Encode()
	if err != nil {
		log.Fatal(err)
	}
	parsed, err := edid.Parse(data)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(data), "bytes for", parsed.Name)
	for i := range parsed.Modes {
		fmt.Println(&parsed.Modes[i])
	}
	// Output:
	// 128 bytes for Example
	// 2560x1440@59.95
	// 1920x1080@60.00
}

// Repair corrects a header with a wrong byte, as a bad cable makes it.
func ExampleRepair() {
	m, err := mode.For(1920, 1080, 60)
	if err != nil {
		log.Fatal(err)
	}
	data, err := (&edid.Monitor{Modes: []mode.Mode{m}}).Encode()
	if err != nil {
		log.Fatal(err)
	}
	data[1] = 0xfe
	fmt.Println(edid.Check(data))
	repaired, err := edid.Repair(data)
	fmt.Printf("% x %v\n", repaired[:8], err)
	// Output:
	// edid: damaged, or of a size other than it says
	// 00 ff ff ff ff ff ff 00 <nil>
}
