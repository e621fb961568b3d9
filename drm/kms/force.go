package kms

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/edid"
	"github.com/udrm/udrm/drm/uapi"
)

// A force overrides the detected status of a connector
// (enum drm_connector_force).
type force int

const (
	unforced force = iota
	forcedOff
	forcedOn
	forcedDigital // like forcedOn
)

// forceNames holds the contents of the debugfs file force.
var forceNames = [...]string{unforced: "unspecified", forcedOff: "off", forcedOn: "on", forcedDigital: "digital"}

// connection returns the result of a probe that detects the given connection.
func (f force) connection(detected uint32) uint32 {
	switch f {
	case forcedOff:
		return uapi.ModeDisconnected
	case forcedOn, forcedDigital:
		return uapi.ModeConnected
	}
	return detected
}

// storeStatus handles a write to the sysfs file status: "on", "on-digital" or
// "off" forces the status, "detect" ends that. The connector is probed at once,
// unless the word is the force that it has already. Clients get a uevent if the
// status has changed.
func (c *Connector) storeStatus(device *drm.Device, data string) error {
	word := strings.TrimSuffix(data, "\n")
	forced, ok := map[string]force{"detect": unforced, "off": forcedOff, "on": forcedOn, "on-digital": forcedDigital}[word]
	if !ok {
		return invalid("status of %s: unknown word %q; write detect, off, on or on-digital", c.Name(), word)
	}
	c.mu.Lock()
	before, again := c.probed.connection, forced == c.forced && forced != unforced
	c.forced = forced
	c.mu.Unlock()
	if again {
		return nil
	}
	return device.WithGuard(func(dev *drm.RegisteredDevice) error {
		c.probe()
		if c.lastProbe().connection != before {
			c.announce(dev)
		}
		return nil
	})
}

// showForce returns the content of the debugfs file force.
func (c *Connector) showForce() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return forceNames[c.forced] + "\n"
}

// maxForce is the size of the longest write to the debugfs file force: the kernel
// has no room for "unspecified" and a newline.
const maxForce = 11

// storeForce handles a write to the debugfs file force, which affects the next
// probe.
func (c *Connector) storeForce(data string) error {
	if len(data) > maxForce {
		return invalid("force of %s: %d bytes (limit %d); write unspecified without a newline", c.Name(), len(data), maxForce)
	}
	word := strings.TrimSuffix(data, "\n")
	for f, name := range forceNames {
		if word == name {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.forced = force(f)
			return nil
		}
	}
	return invalid("force of %s: unknown word %q; write one of %q", c.Name(), word, forceNames)
}

// showOverride returns the content of the debugfs file edid_override.
func (c *Connector) showOverride() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.override == nil {
		return ""
	}
	return string(c.override.EDID)
}

// storeOverride handles a write to the debugfs file edid_override: an EDID that
// replaces that of the monitor, or "reset" without a newline. It affects the next
// probe.
func (c *Connector) storeOverride(data string) error {
	var override *Monitor
	if data != "reset" {
		err := edid.Check([]byte(data))
		if err == nil {
			override, err = MonitorFromEDID([]byte(data))
		}
		if err != nil {
			return fmt.Errorf("kms: EDID for %s: %w: %w", c.Name(), err, unix.EINVAL)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.override = override
	return nil
}
