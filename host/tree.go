package host

import (
	"cmp"
	"fmt"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/host/internal/udev"
	"github.com/udrm/udrm/host/internal/vfs"
)

// makeTree lays out the virtual files for the objects of the class, as the
// kernel and udev do for vkms: nodes in /dev/dri, objects in /sys, and records
// in udev's database.
func (h *Host) makeTree(kobjects []*drm.Kobject) *vfs.Tree {
	t := vfs.New()
	t.AddDir("/sys/class/drm")
	t.AddFile("/sys/class/drm/version", 0o444, constant("drm 1.1.0 20060810\n"))
	if len(kobjects) > 0 {
		t.AddDir("/dev/dri")
	} else {
		t.Hide("/dev", func(name string) bool { return name == "dri" })
	}
	majorOnly := func(prefix string) func(string) bool {
		return func(name string) bool { return strings.HasPrefix(name, prefix) }
	}
	t.Hide("/sys/dev/char", majorOnly("226:"))
	h.addUdev(t)

	for b := range h.buses {
		h.addBus(t, b)
	}
	h.addModules(t)
	h.addMemoryDevices(t)
	var devices []*drm.Device
	for _, k := range kobjects {
		if k.Minor != nil && k.Minor.Type() == drm.Primary {
			devices = append(devices, k.Minor.Device())
		}
		h.addKobject(t, k)
	}
	addDebugfs(t, devices)
	h.addConfigfs(t)
	h.addTerminals(t)
	for path, show := range h.extra {
		t.AddFile(path, 0o644, show)
	}
	return t
}

// kobjectPath returns the directory of an object.
func kobjectPath(k *drm.Kobject) string {
	if k.ParentKobject != nil {
		return kobjectPath(k.ParentKobject) + "/" + k.Name
	}
	return sysPath(k.Parent) + "/" + kobjectClass(k) + "/" + k.Name
}

// kobjectClass returns the class of an object, which is its subsystem.
func kobjectClass(k *drm.Kobject) string { return cmp.Or(k.Class, "drm") }

func sysPath(d *bus.Device) string {
	if path := d.Description().Path; path != "" {
		return "/sys/devices/" + path
	}
	return "/sys/devices/" + d.Bus().Name() + "/" + d.Name()
}

// up returns the relative path from a directory to the top of /sys.
func up(dir string) string {
	return strings.Repeat("../", strings.Count(strings.TrimPrefix(dir, "/sys"), "/"))
}

// addDevice adds the files that every device on a bus has. Those of the bus faux
// have fewer.
func (h *Host) addDevice(t *vfs.Tree, d *bus.Device, seen time.Duration) {
	dir, name := sysPath(d), d.Bus().Name()
	t.AddDir(dir)
	env := deviceEnv(d)
	t.AddContent(dir+"/uevent", 0o644, vfs.Content{
		Show:  constant(lines(env)),
		Store: storeUevent(func(action string, env []string) { h.sendBusEvent(d, action, env) }),
	})
	for _, property := range env {
		if alias, ok := strings.CutPrefix(property, "MODALIAS="); ok {
			t.AddFile(dir+"/modalias", 0o444, constant(alias+"\n"))
		}
	}
	t.AddLink(dir+"/subsystem", up(dir)+"bus/"+name)
	if name == "platform" || name == "pci" {
		t.AddFile(dir+"/driver_override", 0o644, constant("(null)\n"))
	}
	if name != "faux" {
		addPower(t, dir)
	}
	addAttrs(t, dir, d.Description().Attrs)
	t.AddLink("/sys/bus/"+name+"/devices/"+d.Name(), "../../../"+strings.TrimPrefix(dir, "/sys/"))
	record := udev.Record{Initialized: seen, Properties: pathIDs(d)}
	h.addRecord(t, "+"+name+":"+d.Name(), &record)
}

// addPower adds the power directory of a device without power management.
func addPower(t *vfs.Tree, dir string) {
	for name, value := range map[string]string{
		"async":                  "disabled\n",
		"autosuspend_delay_ms":   "", // the kernel: EIO
		"control":                "auto\n",
		"runtime_active_kids":    "0\n",
		"runtime_active_time":    "0\n",
		"runtime_enabled":        "disabled\n",
		"runtime_status":         "unsupported\n",
		"runtime_suspended_time": "0\n",
		"runtime_usage":          "0\n",
	} {
		perm := uint32(0o444)
		switch name {
		case "async", "autosuspend_delay_ms", "control":
			perm = 0o644
		}
		t.AddFile(dir+"/power/"+name, perm, constant(value))
	}
}

func (h *Host) addKobject(t *vfs.Tree, k *drm.Kobject) {
	dir := kobjectPath(k)
	t.AddDir(dir)
	for _, a := range k.Attrs {
		perm := uint32(0o444)
		if a.Store != nil {
			perm = 0o644
		}
		t.AddContent(dir+"/"+a.Name, perm, vfs.Content{Show: a.Show, Store: a.Store})
	}
	device := "../../../" + k.Parent.Name()
	if k.ParentKobject != nil {
		device = "../../" + k.ParentKobject.Name
	}
	t.AddContent(dir+"/uevent", 0o644, vfs.Content{
		Show: constant(strings.Join(kobjectEnv(k), "\n") + "\n"),
		Store: storeUevent(func(action string, env []string) {
			h.classEvent(drm.Uevent{Action: action, Kobject: k, Env: env})
		}),
	})
	t.AddLink(dir+"/device", device)
	class := kobjectClass(k)
	t.AddLink(dir+"/subsystem", up(dir)+"class/"+class)
	addPower(t, dir)
	if class != "drm" {
		t.AddDir("/sys/class/" + class)
	}
	t.AddLink("/sys/class/"+class+"/"+k.Name, "../.."+strings.TrimPrefix(dir, "/sys"))
	if k.Minor != nil && k.Minor.Type() == drm.Primary && k.Minor.Device().Driver().Kernel == drm.Linux72 {
		t.AddLink(fmt.Sprintf("%s/drm/controlD%d", sysPath(k.Parent), controlMinors+k.Minor.Number()), k.Name)
	}
	if k.Minor != nil {
		number := fmt.Sprintf("%d:%d", drm.Major, k.Minor.Number())
		t.AddChar("/dev/dri/"+k.Name, 0o660, k.Minor.Number())
		for _, link := range byPath(k) {
			t.AddLink("/dev/"+link, "../"+k.Name)
		}
		h.addNumberLink(t, number, "../dri/"+k.Name)
		t.AddLink("/sys/dev/char/"+number, "../.."+strings.TrimPrefix(dir, "/sys"))
	}
	if dev := k.Chardev; dev != nil {
		number := fmt.Sprintf("%d:%d", dev.Major, dev.Minor)
		t.AddChardev("/dev/"+k.Name, 0o660, dev)
		h.addNumberLink(t, number, "../"+k.Name)
		t.AddLink("/sys/dev/char/"+number, "../.."+strings.TrimPrefix(dir, "/sys"))
	}
	h.addKobjectRecord(t, k)
}

// controlMinors is the first number of the control nodes, which old programs
// knew. Their names in sysfs are left.
const controlMinors = 64

// addKobjectRecord adds what udev's database holds about an object.
func (h *Host) addKobjectRecord(t *vfs.Tree, k *drm.Kobject) {
	record := udev.Record{Initialized: h.firstSeen(k), Properties: udevIDs(k), Tags: kobjectTags(k)}
	id := "+" + kobjectClass(k) + ":" + k.Name
	switch {
	case k.Minor != nil:
		id = fmt.Sprintf("c%d:%d", drm.Major, k.Minor.Number())
		record.Links = byPath(k)
	case k.Chardev != nil:
		id = fmt.Sprintf("c%d:%d", k.Chardev.Major, k.Chardev.Minor)
	}
	h.addRecord(t, id, &record)
}

// kobjectEnv returns the properties that the kernel puts into the uevents of an
// object and into its file uevent.
func kobjectEnv(k *drm.Kobject) []string {
	devtype := "DEVTYPE=" + k.DevType
	switch {
	case k.Chardev != nil:
		return []string{
			fmt.Sprintf("MAJOR=%d", k.Chardev.Major),
			fmt.Sprintf("MINOR=%d", k.Chardev.Minor),
			"DEVNAME=" + k.Name,
		}
	case k.Minor == nil:
		return []string{devtype}
	}
	return []string{
		fmt.Sprintf("MAJOR=%d", drm.Major),
		fmt.Sprintf("MINOR=%d", k.Minor.Number()),
		"DEVNAME=dri/" + k.Name,
		devtype,
	}
}

// udevProperties returns the properties that udevd adds to uevents.
func (h *Host) udevProperties(k *drm.Kobject) []string {
	properties := append([]string{fmt.Sprintf("USEC_INITIALIZED=%d", h.firstSeen(k).Microseconds())}, udevIDs(k)...)
	if k.Minor != nil {
		for _, link := range byPath(k) {
			properties = append(properties, "DEVLINKS=/dev/"+link)
		}
	}
	return properties
}

// udevIDs returns the properties that udev's rules give to an object.
func udevIDs(k *drm.Kobject) []string {
	ids := pathIDs(k.Parent)
	if ids != nil {
		ids = append(ids, "ID_FOR_SEAT="+kobjectClass(k)+"-"+udev.PathTag(idPath(k.Parent)))
	}
	for _, property := range k.Parent.Description().Properties {
		key, _, _ := strings.Cut(property, "=")
		ids = slices.DeleteFunc(ids, func(other string) bool { return strings.HasPrefix(other, key+"=") })
		ids = append(ids, property)
	}
	return ids
}

// kobjectTags returns the tags that udev's rules give to an object: those of its
// class, those of the machine's rules, and the name of its seat.
func kobjectTags(k *drm.Kobject) []string {
	tags := []string{"master-of-seat", "seat", "uaccess"}
	switch {
	case k.Class != "":
		tags = []string{"seat"}
	case k.Minor == nil:
		tags = tags[:2]
	}
	description := k.Parent.Description()
	more := slices.Clone(description.Tags)
	if seat := idSeat(description); seat != "" {
		more = append(more, seat)
	}
	for _, tag := range more {
		if !slices.Contains(tags, tag) {
			tags = append(tags, tag)
		}
	}
	return tags
}

// byPath returns the persistent links to a node that udev's rules make, below
// /dev: one, or none for a device without ID_PATH.
func byPath(k *drm.Kobject) []string {
	id := idPath(k.Parent)
	if id == "" {
		return nil
	}
	return []string{"dri/by-path/" + id + "-" + byPathSuffix(k.Minor)}
}

func byPathSuffix(m *drm.Minor) string {
	if m.Type() == drm.Render {
		return "render"
	}
	return "card"
}

// idPath returns ID_PATH, or "" for a device that has none.
func idPath(d *bus.Device) string {
	if id := d.Description().IDPath; id != "" {
		return id
	}
	return udev.PathID(d.Bus().Name(), d.Name())
}

// pathIDs returns the properties that udev's path_id gives to a device.
func pathIDs(d *bus.Device) []string {
	id := idPath(d)
	if id == "" {
		return nil
	}
	return []string{"ID_PATH=" + id, "ID_PATH_TAG=" + udev.PathTag(id)}
}

func constant(s string) func() string { return func() string { return s } }

// videoGroup returns the group that owns the nodes.
var videoGroup = sync.OnceValue(func() uint32 {
	g, err := user.LookupGroup("video")
	if err != nil {
		return 0
	}
	gid, err := strconv.ParseUint(g.Gid, 10, 32)
	if err != nil {
		return 0
	}
	return uint32(gid)
})
