package kmsclient

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
)

// A Set sets a property of an object in a commit.
type Set struct {
	Object, ObjectType uint32
	Property           string
	Value              uint64
}

// Commit sends an atomic commit with flags (uapi.ModeAtomic…, uapi.ModePageFlip…).
// It looks up the ids of the properties first. The client must have set
// uapi.ClientCapAtomic.
func (c *Client) Commit(flags uint32, sets ...Set) error {
	var objects, counts, properties []uint32
	var values []uint64
	for _, s := range sets {
		all, err := c.Properties(s.Object, s.ObjectType)
		if err != nil {
			return err
		}
		property, ok := all.Get(s.Property)
		if !ok {
			return fmt.Errorf("object %d has no property %s: %w", s.Object, s.Property, unix.ENOENT)
		}
		objects, counts = append(objects, s.Object), append(counts, 1)
		properties, values = append(properties, property.ID), append(values, s.Value)
	}
	var pin runtime.Pinner
	defer pin.Unpin()
	return Ioctl(c, uapi.IoctlModeAtomic, &uapi.ModeAtomic{
		Flags: flags, CountObjs: uint32(len(objects)), ObjsPtr: Address(&pin, objects), CountPropsPtr: Address(&pin, counts),
		PropsPtr: Address(&pin, properties), PropValuesPtr: Address(&pin, values),
	})
}
