package host

import (
	"fmt"
	"os/user"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/host/internal/vfs"
)

// makeTree lays out the virtual files for the objects that the class has now,
// as the kernel and udev lay them out for a vkms: nodes in /dev/dri, objects
// in /sys, and the database of udev, of which we know what its rules for
// graphics say.
func (h *Host) makeTree() *vfs.Tree {
	t := vfs.New()
	t.AddDir("/sys/class/drm")
	t.AddFile("/sys/class/drm/version", 0o444, constant("drm 1.1.0 20060810\n"))
	kobjects := h.class.Kobjects()
	if len(kobjects) > 0 {
		t.AddDir("/dev/dri")
	} else {
		t.Hide("/dev", func(name string) bool { return name == "dri" })
	}
	majorOnly := func(prefix string) func(string) bool {
		return func(name string) bool { return strings.HasPrefix(name, prefix) }
	}
	t.Hide("/sys/dev/char", majorOnly("226:"))
	t.Hide("/dev/char", majorOnly("226:"))
	t.Hide("/run/udev/data", func(name string) bool {
		return strings.HasPrefix(name, "c226:") || strings.HasPrefix(name, "+drm:")
	})
	// What programs look at to see whether udev runs. It is a socket.
	t.AddFile("/run/udev/control", 0o600, nil)

	parents := make(map[*bus.Device]bool)
	paths := make(map[*drm.Kobject]string)
	for _, k := range kobjects {
		if !parents[k.Parent] {
			parents[k.Parent] = true
			addParent(t, k.Parent, h.firstSeen(k))
		}
		dir := sysPath(k.Parent) + "/drm"
		if k.ParentKobject != nil {
			dir = paths[k.ParentKobject]
		}
		paths[k] = dir + "/" + k.Name
		h.addKobject(t, k, paths[k])
	}
	h.seen.Range(func(k, _ any) bool {
		if paths[k.(*drm.Kobject)] == "" {
			h.seen.Delete(k)
		}
		return true
	})
	return t
}

func sysPath(d *bus.Device) string {
	return "/sys/devices/" + d.Bus().Name() + "/" + d.Name()
}

// up returns the way from a directory to the top of /sys.
func up(dir string) string {
	return strings.Repeat("../", strings.Count(strings.TrimPrefix(dir, "/sys"), "/"))
}

func addParent(t *vfs.Tree, d *bus.Device, seen time.Duration) {
	dir, name := sysPath(d), d.Bus().Name()
	t.AddDir(dir)
	modalias := name + ":" + d.Name()
	t.AddFile(dir+"/uevent", 0o644, constant("MODALIAS="+modalias+"\n"))
	t.AddFile(dir+"/modalias", 0o444, constant(modalias+"\n"))
	t.AddFile(dir+"/driver_override", 0o644, constant("(null)\n"))
	t.AddLink(dir+"/subsystem", up(dir)+"bus/"+name)
	addPower(t, dir)
	t.AddLink("/sys/bus/"+name+"/devices/"+d.Name(), "../../../devices/"+name+"/"+d.Name())
	t.AddFile("/run/udev/data/+"+name+":"+d.Name(), 0o644, constant(fmt.Sprintf(
		"I:%d\nE:ID_PATH=%s\nE:ID_PATH_TAG=%s\nV:1\n", seen.Microseconds(), idPath(d), idPathTag(d))))
}

// addPower adds what every device has; none of ours manages power.
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

func (h *Host) addKobject(t *vfs.Tree, k *drm.Kobject, dir string) {
	t.AddDir(dir)
	for _, a := range k.Attrs {
		perm := uint32(0o444)
		if a.Name == "status" {
			perm = 0o644
		}
		t.AddFile(dir+"/"+a.Name, perm, a.Show)
	}
	uevent := "DEVTYPE=" + k.DevType + "\n"
	device := "../../../" + k.Parent.Name()
	if k.ParentKobject != nil {
		device = "../../" + k.ParentKobject.Name
	}
	if k.Minor != nil {
		uevent = fmt.Sprintf("MAJOR=%d\nMINOR=%d\nDEVNAME=dri/%s\n%s", drm.Major, k.Minor.Number(), k.Name, uevent)
	}
	t.AddFile(dir+"/uevent", 0o644, constant(uevent))
	t.AddLink(dir+"/device", device)
	t.AddLink(dir+"/subsystem", up(dir)+"class/drm")
	addPower(t, dir)
	t.AddLink("/sys/class/drm/"+k.Name, "../.."+strings.TrimPrefix(dir, "/sys"))

	// The database of udev.
	tags := []string{"master-of-seat", "seat"}
	id := "+drm:" + k.Name
	var record strings.Builder
	if k.Minor != nil {
		number := fmt.Sprintf("%d:%d", drm.Major, k.Minor.Number())
		byPath := "by-path/" + idPath(k.Parent) + "-" + byPathSuffix(k.Minor)
		t.AddChar("/dev/dri/"+k.Name, 0o660, k.Minor.Number())
		t.AddLink("/dev/dri/"+byPath, "../"+k.Name)
		t.AddLink("/dev/char/"+number, "../dri/"+k.Name)
		t.AddLink("/sys/dev/char/"+number, "../.."+strings.TrimPrefix(dir, "/sys"))
		tags = append(tags, "uaccess")
		id = "c" + number
		fmt.Fprintf(&record, "S:dri/%s\n", byPath)
	}
	fmt.Fprintf(&record, "I:%d\nE:ID_PATH=%s\nE:ID_PATH_TAG=%[3]s\nE:ID_FOR_SEAT=drm-%[3]s\n",
		h.firstSeen(k).Microseconds(), idPath(k.Parent), idPathTag(k.Parent))
	for _, kind := range []string{"G", "Q"} {
		for _, tag := range tags {
			fmt.Fprintf(&record, "%s:%s\n", kind, tag)
		}
	}
	record.WriteString("V:1\n")
	t.AddFile("/run/udev/data/"+id, 0o644, constant(record.String()))
	for _, tag := range tags {
		t.AddFile("/run/udev/tags/"+tag+"/"+id, 0o444, constant(""))
	}
}

func byPathSuffix(m *drm.Minor) string {
	if m.Type() == drm.Render {
		return "render"
	}
	return "card"
}

func idPath(d *bus.Device) string { return d.Bus().Name() + "-" + d.Name() }

// idPathTag is the path as udev's path_id makes a tag of it.
func idPathTag(d *bus.Device) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= '0' && r <= '9', r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r == '-':
			return r
		}
		return '_'
	}, idPath(d))
}

// firstSeen returns when k was seen first, since the machine started.
func (h *Host) firstSeen(k *drm.Kobject) time.Duration {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now)
	at, _ := h.seen.LoadOrStore(k, time.Duration(now.Nano()))
	return at.(time.Duration)
}

func constant(s string) func() string { return func() string { return s } }

// videoGroup is who may open the nodes, besides root.
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
