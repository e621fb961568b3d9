package view

import (
	"bytes"
	"encoding/binary"
	"image"
)

// tile is the width and height of a tile: what is compared and sent as a whole.
const tile = 64

// An encoder makes the messages of a screen. A message is binary, with little
// endian numbers of 16 bits:
//
//	length of the name, the name of the screen ("card0:DP-1")
//	width, height of the picture; both 0 if the screen shows none
//	for each rectangle that changed: x, y, width, height, and its
//	pixels: red, green, blue, 255
//
// A first message, and one with another size, has the whole picture.
type encoder struct {
	screen  string
	last    *image.NRGBA // what the viewer has; nil for nothing
	message []byte       // used again
}

// encode returns the message that makes the viewer show a picture, or nil if it
// shows that already. The picture must not change before the next but one call.
func (e *encoder) encode(picture *image.NRGBA) []byte {
	e.message = binary.LittleEndian.AppendUint16(e.message[:0], uint16(len(e.screen)))
	e.message = append(e.message, e.screen...)
	if picture == nil {
		e.numbers(0, 0)
		e.last = nil
		return e.message
	}
	size := picture.Rect.Size()
	e.numbers(size.X, size.Y)
	head := len(e.message)
	if e.last == nil || e.last.Rect != picture.Rect {
		e.rectangle(picture, picture.Rect)
	} else {
		for y := 0; y < size.Y; y += tile {
			e.row(picture, y, min(y+tile, size.Y))
		}
	}
	e.last = picture
	if len(e.message) == head {
		return nil
	}
	return e.message
}

// row adds the changed tiles between two lines. Neighbours become one rectangle.
func (e *encoder) row(picture *image.NRGBA, top, bottom int) {
	width := picture.Rect.Dx()
	from := -1 // where the rectangle begins
	for x := 0; x < width; x += tile {
		changed := e.changed(picture, image.Rect(x, top, min(x+tile, width), bottom))
		if changed && from < 0 {
			from = x
		} else if !changed && from >= 0 {
			e.rectangle(picture, image.Rect(from, top, x, bottom))
			from = -1
		}
	}
	if from >= 0 {
		e.rectangle(picture, image.Rect(from, top, width, bottom))
	}
}

func (e *encoder) changed(picture *image.NRGBA, r image.Rectangle) bool {
	for y := r.Min.Y; y < r.Max.Y; y++ {
		from, to := picture.PixOffset(r.Min.X, y), picture.PixOffset(r.Max.X, y)
		if !bytes.Equal(picture.Pix[from:to], e.last.Pix[from:to]) {
			return true
		}
	}
	return false
}

func (e *encoder) rectangle(picture *image.NRGBA, r image.Rectangle) {
	e.numbers(r.Min.X, r.Min.Y, r.Dx(), r.Dy())
	for y := r.Min.Y; y < r.Max.Y; y++ {
		e.message = append(e.message, picture.Pix[picture.PixOffset(r.Min.X, y):picture.PixOffset(r.Max.X, y)]...)
	}
}

func (e *encoder) numbers(list ...int) {
	for _, n := range list {
		e.message = binary.LittleEndian.AppendUint16(e.message, uint16(n))
	}
}
