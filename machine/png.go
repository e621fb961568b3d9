package machine

import (
	"image"
	"image/png"
	"os"
)

// WritePNG writes a picture to a PNG file.
func WritePNG(name string, picture image.Image) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	if err := (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(f, picture); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
