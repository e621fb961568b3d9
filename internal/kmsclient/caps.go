package kmsclient

import (
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
)

// Driver returns the name of the driver.
func (c *Client) Driver() (string, error) {
	name := make([]byte, 64)
	var pin runtime.Pinner
	defer pin.Unpin()
	arg := uapi.Version{Name: Address(&pin, name), NameLen: uint64(len(name))}
	err := Ioctl(c, uapi.IoctlVersion, &arg)
	return unix.ByteSliceToString(name), err
}

// Cap returns the value of a capability of the device.
func (c *Client) Cap(capability uint64) (uint64, error) {
	arg := uapi.GetCap{Capability: capability}
	err := Ioctl(c, uapi.IoctlGetCap, &arg)
	return arg.Value, err
}

// SetClientCap sets a capability of the client.
func (c *Client) SetClientCap(capability, value uint64) error {
	return Ioctl(c, uapi.IoctlSetClientCap, &uapi.SetClientCap{Capability: capability, Value: value})
}
