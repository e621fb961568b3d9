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

// addBus adds a bus with its devices and drivers. It has the files of a PCI
// bus, which the kernel's platform bus lacks: they remove a device and look for
// plugged ones.
func (h *Host) addBus(t *vfs.Tree, b *bus.Bus) {
	top := "/sys/bus/" + b.Name()
	t.AddUnion(top + "/devices") // stays open and lists devices that come later
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
		h.addDevice(t, d, h.firstSeen(d))
		dir := sysPath(d)
		t.AddContent(dir+"/remove", 0o200, vfs.Content{Store: whenTrue(func() error { return d.Remove(context.Background()) })})
		if driver := d.Driver(); driver != "" {
			t.AddLink(dir+"/driver", up(dir)+"bus/"+b.Name()+"/drivers/"+driver)
			t.AddLink(top+"/drivers/"+driver+"/"+d.Name(), "../../../.."+strings.TrimPrefix(dir, "/sys"))
		}
	}
}

// whenTrue returns the store function of a file that does something when a
// number other than 0 is written to it.
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
		return fmt.Errorf("host: no device %q on bus %s: %w", name, b.Name(), unix.ENODEV)
	}
	return d.Rebind(driver)
}

func unbindFrom(b *bus.Bus, driver, name string) error {
	d := b.Device(trimLine(name))
	if d == nil || d.Driver() != driver {
		return fmt.Errorf("host: driver %s is not bound to %q: %w", driver, name, unix.ENODEV)
	}
	return d.Unbind(context.Background())
}

// trimLine removes the end of a line, or of a C string.
func trimLine(data string) string { return strings.TrimRight(data, "\n\x00") }
