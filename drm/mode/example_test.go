package mode_test

import (
	"fmt"
	"log"

	"github.com/udrm/udrm/drm/mode"
)

func ExampleFor() {
	for _, rate := range []float64{60, 59.94, 144} {
		m, err := mode.For(1920, 1080, rate)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%v: clock %d kHz, %d pixels by %d lines in total\n", &m, m.Clock, m.HTotal, m.VTotal)
	}
	// Output:
	// 1920x1080@60.00: clock 148500 kHz, 2200 pixels by 1125 lines in total
	// 1920x1080@59.94: clock 148350 kHz, 2200 pixels by 1125 lines in total
	// 1920x1080@143.98: clock 346500 kHz, 2080 pixels by 1157 lines in total
}

func ExampleMode_FramesTime() {
	m, _ := mode.CTA(16)
	fmt.Println(m.FramesTime(1), m.FramesTime(60))
	// Output: 16.666666ms 1s
}
