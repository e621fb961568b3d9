package host

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/host/internal/vfs"
)

// Programs see the module of a driver. Unloading it unbinds its devices,
// unless a client uses one; loading it binds them again. modprobe and libkmod
// look into /sys/module and call delete_module. To load, they run the command
// in a file of modprobe.d, as no module file exists.

// modprobeFile holds the commands that load the drivers.
const modprobeFile = "/run/modprobe.d/udrm.conf"

// addModules adds the files that modprobe looks for, and those of the module drm.
func (h *Host) addModules(t *vfs.Tree) {
	buses := slices.Collect(maps.Keys(h.buses))
	var modules []string
	t.AddFile(modprobeFile, 0o444, func() string { return loadCommands(buses) })
	for _, b := range buses {
		for _, d := range b.Devices() {
			if d.Driver() == "" {
				continue
			}
			module, parameters := d.Module()
			modules = append(modules, module)
			dir := "/sys/module/" + module
			t.AddDir(dir + "/holders")
			t.AddFile(dir+"/initstate", 0o444, constant("live\n"))
			addAttrs(t, dir+"/parameters", parameters)
		}
	}
	h.core.add(t, modules)
}

// loadCommands returns the content of modprobeFile.
func loadCommands(buses []*bus.Bus) string {
	commands := make(map[string][]string) // by module
	for _, b := range buses {
		for _, d := range b.Devices() {
			if driver := d.LastDriver(); driver != "" {
				module, _ := d.Module()
				commands[module] = append(commands[module], fmt.Sprintf("echo %s > /sys/bus/%s/drivers/%s/bind", d.Name(), b.Name(), driver))
			}
		}
	}
	var out strings.Builder
	for _, module := range slices.Sorted(maps.Keys(commands)) {
		fmt.Fprintf(&out, "install %s %s\n", module, strings.Join(commands[module], "; "))
	}
	return out.String()
}

// boundTo returns the devices that are bound to a driver of a module.
func boundTo(buses []*bus.Bus, module string) (devices []*bus.Device) {
	for _, b := range buses {
		for _, d := range b.Devices() {
			if name, _ := d.Module(); name == module && d.Driver() != "" {
				devices = append(devices, d)
			}
		}
	}
	return devices
}

// deleteModule unloads a driver of a virtual bus. All others are the kernel's.
func (c *call) deleteModule() {
	raw, err := c.readString(c.arg(0))
	if err != nil {
		c.proceed()
		return
	}
	name := string(raw)
	c.host.treeMu.Lock()
	buses := slices.Collect(maps.Keys(c.host.buses))
	c.host.treeMu.Unlock()
	known := slices.ContainsFunc(buses, func(b *bus.Bus) bool { return slices.Contains(b.Modules(), name) })
	if !known {
		c.proceed()
		return
	}
	c.host.attributes.Drain(c)
	c.host.files.AwaitAll(c)
	permitted := c.mayUnload()
	c.park() // an unbind waits for requests that are in progress
	c.finish(c.host.unload(buses, name, permitted))
}

// mayUnload reports whether the program may unload drivers: root may, and under
// the host of another user that user, and with EveryUser all users.
func (c *call) mayUnload() bool {
	if c.host.everyUser || c.capable(unix.CAP_SYS_MODULE) {
		return true
	}
	program, err := c.tid().Credentials()
	self := os.Geteuid()
	return err == nil && self != 0 && program.UID == self
}

// unload unbinds the devices of a module. Errors: EPERM; ENOENT when it has
// none; EWOULDBLOCK when a client uses one of them.
func (h *Host) unload(buses []*bus.Bus, module string, permitted bool) error {
	if !permitted {
		return unix.EPERM
	}
	devices := boundTo(buses, module)
	if len(devices) == 0 {
		return unix.ENOENT
	}
	for _, k := range h.class.Kobjects() {
		if k.Minor != nil && k.Minor.Type() == drm.Primary && slices.Contains(devices, k.Parent) && k.Minor.Device().InUse() {
			return unix.EWOULDBLOCK
		}
	}
	for _, d := range devices {
		if err := d.Unbind(context.Background()); err != nil {
			return err
		}
	}
	return nil
}
