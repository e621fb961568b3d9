package kms

import (
	"bytes"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/uapi"
)

// A force is what somebody has decided about a connector, whatever is plugged
// in (enum drm_connector_force).
type force int

const (
	unforced force = iota
	forcedOff
	forcedOn
	forcedDigital // on, and digital, which makes no difference here
)

// forceNames are what the file force of debugfs says.
var forceNames = [...]string{unforced: "unspecified", forcedOff: "off", forcedOn: "on", forcedDigital: "digital"}

// connection returns what a probe finds where there is plugged.
func (f force) connection(plugged uint32) uint32 {
	switch f {
	case forcedOff:
		return uapi.ModeDisconnected
	case forcedOn, forcedDigital:
		return uapi.ModeConnected
	}
	return plugged
}

// storeStatus is a write to the file status of sysfs: on, on-digital or off,
// whatever is there, or detect to look again. Clients find the connector
// probed, and hear of it if that made a difference.
func (c *Connector) storeStatus(device *drm.Device, data string) error {
	word := strings.TrimSuffix(data, "\n")
	forced, ok := map[string]force{"detect": unforced, "off": forcedOff, "on": forcedOn, "on-digital": forcedDigital}[word]
	if !ok {
		return invalid("%q for the status of %s: it takes detect, off, on and on-digital", word, c.Name())
	}
	c.mu.Lock()
	before := c.seen.connection
	c.forced = forced
	c.mu.Unlock()
	return device.WithGuard(func(dev *drm.RegisteredDevice) error {
		c.probe()
		if c.look().connection != before {
			c.announce(dev)
		}
		return nil
	})
}

// showForce and storeForce are the file force of debugfs. The next probe
// heeds it.
func (c *Connector) showForce() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return forceNames[c.forced] + "\n"
}

func (c *Connector) storeForce(data string) error {
	word := strings.TrimSuffix(data, "\n")
	for f, name := range forceNames {
		if word == name {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.forced = force(f)
			return nil
		}
	}
	return invalid("%q for what %s is forced to: it takes one of %q", word, c.Name(), forceNames)
}

// showOverride and storeOverride are the file edid_override of debugfs: an
// EDID that counts instead of that of the monitor, or reset. The next probe
// heeds it.
func (c *Connector) showOverride() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.override == nil {
		return ""
	}
	return string(c.override.EDID)
}

func (c *Connector) storeOverride(data string) error {
	var override *Monitor
	if strings.TrimSuffix(data, "\n") != "reset" {
		var err error
		if override, err = MonitorFromEDID([]byte(data)); err != nil {
			return fmt.Errorf("kms: an EDID for %s: %w: %w", c.Name(), err, unix.EINVAL)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.override = override
	return nil
}

// sameEDID reports whether a blob holds the EDID; nil is none.
func sameEDID(blob *Blob, edid []byte) bool {
	if blob == nil {
		return edid == nil
	}
	return edid != nil && bytes.Equal(blob.data, edid)
}
