package host

import (
	"context"
	"fmt"
	"path"
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
		addParents(t, d)
		h.addDevice(t, d, h.firstSeen(d))
		dir := sysPath(d)
		t.AddContent(dir+"/remove", 0o200, vfs.Content{Store: whenTrue(func() error { return d.Remove(context.Background()) })})
		if driver := d.Driver(); driver != "" {
			t.AddLink(dir+"/driver", up(dir)+"bus/"+b.Name()+"/drivers/"+driver)
			t.AddLink(top+"/drivers/"+driver+"/"+d.Name(), "../../../.."+strings.TrimPrefix(dir, "/sys"))
			if module, _ := d.Module(); module != driver {
				t.AddLink(top+"/drivers/"+driver+"/module", "../../../../module/"+module)
			}
		}
	}
}

// addParents adds the devices that a device is a part of.
func addParents(t *vfs.Tree, d *bus.Device) {
	for _, p := range d.Description().Parents {
		dir := "/sys/devices/" + p.Path
		t.AddDir(dir)
		env := p.Env
		if p.Driver != "" {
			env = append([]string{"DRIVER=" + p.Driver}, env...)
			t.AddLink(dir+"/driver", up(dir)+"bus/"+p.Bus+"/drivers/"+p.Driver)
		}
		t.AddFile(dir+"/uevent", 0o644, constant(lines(env)))
		addAttrs(t, dir, p.Attrs)
		t.AddLink(dir+"/subsystem", up(dir)+"bus/"+p.Bus)
		addPower(t, dir)
		t.AddLink("/sys/bus/"+p.Bus+"/devices/"+path.Base(dir), "../../../"+strings.TrimPrefix(dir, "/sys/"))
	}
}

func addAttrs(t *vfs.Tree, dir string, attrs []bus.Attr) {
	for _, a := range attrs {
		t.AddFile(dir+"/"+a.Name, 0o444, constant(a.Content))
	}
}

// lines returns the content of a file with the lines.
func lines(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return strings.Join(list, "\n") + "\n"
}

// deviceEnv returns the properties in uevents of a device.
func deviceEnv(d *bus.Device) []string {
	env := d.Description().Env
	if env == nil {
		return []string{"MODALIAS=" + d.Bus().Name() + ":" + d.Name()}
	}
	if driver := d.Driver(); driver != "" {
		return append([]string{"DRIVER=" + driver}, env...)
	}
	return env
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
