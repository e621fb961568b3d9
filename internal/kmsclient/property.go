package kmsclient

import (
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
)

// A Property is a property of one object.
type Property struct {
	Name  string
	ID    uint32
	Flags uint32
	Value uint64
}

// Properties are the properties of one object, in its order.
type Properties []Property

// Get returns the property with the given name.
func (p Properties) Get(name string) (Property, bool) {
	for _, one := range p {
		if one.Name == name {
			return one, true
		}
	}
	return Property{}, false
}

// Properties returns the properties of an object that the client can see.
func (c *Client) Properties(id, objectType uint32) (Properties, error) {
	count := uapi.ModeObjGetProperties{ObjID: id, ObjType: objectType}
	if err := Ioctl(c, uapi.IoctlModeObjGetProperties, &count); err != nil {
		return nil, err
	}
	ids, values := make([]uint32, count.CountProps), make([]uint64, count.CountProps)
	var pin runtime.Pinner
	defer pin.Unpin()
	err := Ioctl(c, uapi.IoctlModeObjGetProperties, &uapi.ModeObjGetProperties{
		ObjID: id, ObjType: objectType,
		PropsPtr: Address(&pin, ids), PropValuesPtr: Address(&pin, values), CountProps: count.CountProps,
	})
	if err != nil {
		return nil, err
	}
	var list Properties
	for i, id := range ids {
		arg := uapi.ModeGetProperty{PropID: id}
		if err := Ioctl(c, uapi.IoctlModeGetProperty, &arg); err != nil {
			return nil, err
		}
		list = append(list, Property{Name: unix.ByteSliceToString(arg.Name[:]), ID: id, Flags: arg.Flags, Value: values[i]})
	}
	return list, nil
}

// CreateBlob makes a property blob and returns its id.
func (c *Client) CreateBlob(data []byte) (uint32, error) {
	var pin runtime.Pinner
	defer pin.Unpin()
	arg := uapi.ModeCreateBlob{Data: Address(&pin, data), Length: uint32(len(data))}
	err := Ioctl(c, uapi.IoctlModeCreatePropBlob, &arg)
	return arg.BlobID, err
}

// CreateModeBlob makes a property blob of a mode and returns its id.
func (c *Client) CreateModeBlob(mode *uapi.ModeInfo) (uint32, error) {
	return c.CreateBlob(bytesOf(mode))
}

// GetBlob returns the contents of a property blob.
func (c *Client) GetBlob(id uint32) ([]byte, error) {
	count := uapi.ModeGetBlob{BlobID: id}
	if err := Ioctl(c, uapi.IoctlModeGetPropBlob, &count); err != nil {
		return nil, err
	}
	data := make([]byte, count.Length)
	var pin runtime.Pinner
	defer pin.Unpin()
	return data, Ioctl(c, uapi.IoctlModeGetPropBlob,
		&uapi.ModeGetBlob{BlobID: id, Data: Address(&pin, data), Length: count.Length})
}
