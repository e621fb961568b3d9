package picture_test

import (
	"fmt"
	"image"
	"image/color"

	"github.com/udrm/udrm/machine/picture"
)

func ExampleCompare() {
	want := image.NewNRGBA(image.Rect(0, 0, 640, 480))
	got := image.NewNRGBA(want.Rect)
	got.SetNRGBA(10, 20, color.NRGBA{R: 3, A: 255})
	fmt.Println(picture.Compare(got, want, picture.Options{}))
	fmt.Println(picture.Compare(got, want, picture.Options{Tolerance: 3}))
	// Output:
	// 1 of 307200 pixels differ, the first at 10,20, by at most 3 of 255
	// <nil>
}
