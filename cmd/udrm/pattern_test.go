package main

import (
	"image"
	"image/color"
)

// modetest draws two pictures: colour bars after SMPTE EG 1, and a plain grey to
// flip to. The functions below compute their pixels, 0xRRGGBB, independently.

type pattern func(x, y, width, height int) uint32

func bars(x, y, width, height int) uint32 {
	const black = 0x131313
	top := [...]uint32{0xc0c0c0, 0xc0c000, 0x00c0c0, 0x00c000, 0xc000c0, 0xc00000, 0x0000c0}
	middle := [...]uint32{0x0000c0, black, 0xc000c0, black, 0x00c0c0, black, 0xc0c0c0}
	wide := [...]uint32{0x00214c, 0xffffff, 0x32006a, black} // in phase, white, quadrature
	narrow := [...]uint32{0x090909, black, 0x1d1d1d, black}  // 3.5, 7.5 and 11.5 %, and what rounding leaves
	switch {
	case y < height*6/9:
		return top[x*7/width]
	case y < height*7/9:
		return middle[x*7/width]
	case x < width*5/7:
		return wide[x*4/(width*5/7)]
	case x < width*6/7:
		return narrow[(x-width*5/7)*3/(width/7)]
	}
	return black
}

func grey(x, y, width, height int) uint32 { return 0x777777 }

// mismatches returns the number of pixels that differ from the pattern, and the
// first of them.
func mismatches(picture image.Image, p pattern) (count int, first image.Point) {
	size := picture.Bounds().Size()
	for y := range size.Y {
		for x := range size.X {
			c := color.NRGBAModel.Convert(picture.At(x, y)).(color.NRGBA)
			if got := uint32(c.R)<<16 | uint32(c.G)<<8 | uint32(c.B); got != p(x, y, size.X, size.Y) {
				if count == 0 {
					first = image.Pt(x, y)
				}
				count++
			}
		}
	}
	return count, first
}
