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
	send, err := c.Prepare(flags, sets...)
	if err != nil {
		return err
	}
	return send()
}

// Prepare returns a function that sends the commit, as often as it is called.
// Neighbouring sets of an object share their entry in the list of objects.
func (c *Client) Prepare(flags uint32, sets ...Set) (send func() error, err error) {
	var objects, counts, properties []uint32
	var values []uint64
	var known Properties // of the last object
	for _, s := range sets {
		if n := len(objects); n == 0 || objects[n-1] != s.Object {
			if known, err = c.Properties(s.Object, s.ObjectType); err != nil {
				return nil, err
			}
			objects, counts = append(objects, s.Object), append(counts, 0)
		}
		property, ok := known.Get(s.Property)
		if !ok {
			return nil, fmt.Errorf("object %d has no property %s: %w", s.Object, s.Property, unix.ENOENT)
		}
		counts[len(counts)-1]++
		properties, values = append(properties, property.ID), append(values, s.Value)
	}
	return func() error {
		var pin runtime.Pinner
		defer pin.Unpin()
		return Ioctl(c, uapi.IoctlModeAtomic, &uapi.ModeAtomic{
			Flags: flags, CountObjs: uint32(len(objects)), ObjsPtr: Address(&pin, objects), CountPropsPtr: Address(&pin, counts),
			PropsPtr: Address(&pin, properties), PropValuesPtr: Address(&pin, values),
		})
	}, nil
}
