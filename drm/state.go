package drm

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// A State is a stage in the life of a device, from New to Gone.
type State uint32

const (
	// New: made by [NewDevice]; only its creator has it.
	New State = iota
	// Registering: [UnregisteredDevice.Register] is at work.
	Registering
	// Live: guards can be taken.
	Live
	// Unplugging: no guard can be taken; the unplug waits for open ones.
	Unplugging
	// Drained: no guard is open, and never will be.
	Drained
	// Gone: the last reference was put; the minor numbers are free.
	Gone
)

func (s State) String() string {
	names := [...]string{"new", "registering", "live", "unplugging", "drained", "gone"}
	if int(s) < len(names) {
		return names[s]
	}
	return fmt.Sprintf("State(%d)", uint32(s))
}

// ErrNotRegistered and ErrUnplugged say why a guard was refused. Both are ENODEV
// to a client.
var (
	ErrNotRegistered = fmt.Errorf("drm: the device is not registered yet: %w", unix.ENODEV)
	ErrUnplugged     = fmt.Errorf("drm: the device is unplugged: %w", unix.ENODEV)
)
