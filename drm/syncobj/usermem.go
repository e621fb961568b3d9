package syncobj

import (
	"encoding/binary"

	"github.com/udrm/udrm/drm"
)

// arrayChunk limits the elements that are read at once: the client-supplied
// length of the array is not trusted.
const arrayChunk = 1 << 12

// readArray reads an array in client memory.
func readArray[T uint32 | uint64](req *drm.Request, addr uint64, count uint32) (array []T, err error) {
	for n := uint32(0); n < count; {
		part := make([]T, min(count-n, arrayChunk))
		data := make([]byte, binary.Size(part))
		if err := req.CopyFromUser(data, addr); err != nil {
			return nil, err
		}
		if _, err := binary.Decode(data, binary.NativeEndian, part); err != nil {
			panic(err) // T has a fixed size
		}
		array = append(array, part...)
		addr += uint64(len(data))
		n += uint32(len(part))
	}
	return array, nil
}

func encode(v any) []byte {
	data, err := binary.Append(nil, binary.NativeEndian, v)
	if err != nil {
		panic(err) // v has a fixed size
	}
	return data
}
