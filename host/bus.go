package host

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/host/internal/vfs"
)

// addBus adds a bus with its devices and drivers. Like a PCI bus, and unlike
// the kernel's platform bus, it can be told to remove a device, and to look
// for those that are plugged.
func (h *Host) addBus(t *vfs.Tree, b *bus.Bus) {
	top := "/sys/bus/" + b.Name()
	t.AddUnion(top + "/devices") // who has it open finds in it what comes
	t.AddContent(top+"/rescan", 0o200, vfs.Content{Store: whenTrue(b.Rescan)})
	for _, driver := range b.Drivers() {
		dir := top + "/drivers/" + driver
		t.AddDir(dir)
		t.AddContent(dir+"/bind", 0o200, vfs.Content{Store: func(name string) error { return bindTo(b, driver, name) }})
		t.AddContent(dir+"/unbind", 0o200, vfs.Content{Store: func(name string) error { return unbindFrom(b, driver, name) }})
	}
	for _, d := range b.Devices() {
		if d.Removed() {
			continue
		}
		addDevice(t, d, h.firstSeen(d))
		dir := sysPath(d)
		t.AddContent(dir+"/remove", 0o200, vfs.Content{Store: whenTrue(func() error { return d.Remove(context.Background()) })})
		if driver := d.Driver(); driver != "" {
			t.AddLink(dir+"/driver", up(dir)+"bus/"+b.Name()+"/drivers/"+driver)
			t.AddLink(top+"/drivers/"+driver+"/"+d.Name(), "../../../.."+strings.TrimPrefix(dir, "/sys"))
		}
	}
}

// whenTrue is the store function of a file to which a number other than 0 is
// written to have something done.
func whenTrue(do func() error) func(data string) error {
	return func(data string) error {
		n, err := strconv.ParseUint(trimLine(data), 0, 64)
		if err != nil {
			return fmt.Errorf("host: %q is not a number: %w", data, unix.EINVAL)
		}
		if n == 0 {
			return nil
		}
		return do()
	}
}

func bindTo(b *bus.Bus, driver, name string) error {
	d := b.Device(trimLine(name))
	if d == nil {
		return fmt.Errorf("host: there is no device %q on bus %s: %w", name, b.Name(), unix.ENODEV)
	}
	return d.Rebind(driver)
}

func unbindFrom(b *bus.Bus, driver, name string) error {
	d := b.Device(trimLine(name))
	if d == nil || d.Driver() != driver {
		return fmt.Errorf("host: driver %s is not bound to a device %q: %w", driver, name, unix.ENODEV)
	}
	return d.Unbind(context.Background())
}

// trimLine takes off what ends a line, or a string in C.
func trimLine(data string) string { return strings.TrimRight(data, "\n\x00") }
