//go:build !amd64

package host

// Programs of other architectures are not served.

const compatIoctl = 0

var compatCalls []compatCall

func (c *call) compatCall(nr int, args [6]uint64) (int, [6]uint64) { return nr, args }

func (c *call) retOffset(at int64) { c.ret(at) }
