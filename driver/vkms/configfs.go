package vkms

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/configfs"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/uapi"
)

// A Live is a device that a program has enabled in configfs.
type Live interface {
	// SetStatus changes what is plugged into a connector, by its position in the
	// topology: uapi.ModeConnected and so on.
	SetStatus(connector int, status uint32) error
	// Remove unbinds the driver and removes the device.
	Remove() error
}

// ConfigfsItem returns the directory vkms of configfs. Programs describe devices
// in it, and create makes one when its file enabled becomes 1. The names, the
// rules and the errors are those of vkms on Linux 7.2.
func ConfigfsItem(create func(name string, config Config) (Live, error)) *configfs.Item {
	return configfs.NewItem("vkms", configfs.Type{Make: func(name string) (*configfs.Item, error) {
		if name == defaultDevice {
			return nil, refuseConfig(unix.EINVAL, "%s is the name of the default device", name)
		}
		return (&configDevice{name: name, create: create}).item(), nil
	}})
}

// defaultDevice is the name of the default device.
const defaultDevice = "vkms"

func refuseConfig(errno unix.Errno, format string, args ...any) error {
	return fmt.Errorf("vkms: "+format+": %w", append(args, errno)...)
}

// A configDevice is a device in configfs.
type configDevice struct {
	name   string
	create func(name string, config Config) (Live, error)

	mu   sync.Mutex // held while the device is made and removed
	live Live       // nil: not enabled
	// The objects in the order in which they were made.
	planes, crtcs, encoders, connectors []*configObject
}

// A configObject is a plane, CRTC, encoder or connector in configfs. Its fields
// are guarded by configDevice.mu.
type configObject struct {
	name      string
	planeType int
	writeback bool
	status    uint32
	possible  []*configObject // CRTCs of planes and encoders, encoders of connectors
	index     int             // in the topology of the device that is enabled; or -1
}

// A kind is a kind of objects.
type kind struct {
	list  func(d *configDevice) *[]*configObject
	attrs func(d *configDevice, o *configObject) []configfs.Attribute
	// links and targets are the directory of links, and what they lead to; or "".
	links, targets string
}

var kinds = map[string]kind{
	"planes": {
		list:  func(d *configDevice) *[]*configObject { return &d.planes },
		attrs: (*configDevice).planeAttrs,
		links: "possible_crtcs", targets: "crtcs",
	},
	"crtcs": {
		list:  func(d *configDevice) *[]*configObject { return &d.crtcs },
		attrs: (*configDevice).crtcAttrs,
	},
	"encoders": {
		list:  func(d *configDevice) *[]*configObject { return &d.encoders },
		links: "possible_crtcs", targets: "crtcs",
	},
	"connectors": {
		list:  func(d *configDevice) *[]*configObject { return &d.connectors },
		attrs: (*configDevice).connectorAttrs,
		links: "possible_encoders", targets: "encoders",
	},
}

// item returns the directory of the device.
func (d *configDevice) item() *configfs.Item {
	objects := make(map[*configfs.Item]*configObject)
	var groups []*configfs.Item
	for _, name := range []string{"planes", "crtcs", "encoders", "connectors"} {
		groups = append(groups, configfs.NewItem(name, configfs.Type{Make: func(object string) (*configfs.Item, error) {
			return d.makeObject(name, object, objects)
		}}))
	}
	return configfs.NewItem(d.name, configfs.Type{
		Attributes: []configfs.Attribute{{Name: "enabled", Show: d.showEnabled, Store: d.storeEnabled}},
		Release:    d.release,
	}, groups...)
}

// makeObject makes an object of a kind. objects are all objects of the device by
// their directories, guarded by mu.
func (d *configDevice) makeObject(kindName, name string, objects map[*configfs.Item]*configObject) (*configfs.Item, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.live != nil {
		return nil, refuseConfig(unix.EBUSY, "%s is enabled, so it gets no new %s", d.name, kindName)
	}
	k := kinds[kindName]
	o := &configObject{name: name, planeType: uapi.PlaneTypeOverlay, status: uapi.ModeConnected, index: -1}
	list := k.list(d)
	*list = append(*list, o)
	typ := configfs.Type{}
	if k.attrs != nil {
		typ.Attributes = k.attrs(d, o)
	}
	var children []*configfs.Item
	if k.links != "" {
		children = append(children, configfs.NewItem(k.links, d.linkType(o, k.targets, objects)))
	}
	var item *configfs.Item
	typ.Release = func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		*list = slices.DeleteFunc(*list, func(other *configObject) bool { return other == o })
		delete(objects, item)
	}
	item = configfs.NewItem(name, typ, children...)
	objects[item] = o
	return item, nil
}

// linkType returns the type of a directory with links to objects that are
// possible for o.
func (d *configDevice) linkType(o *configObject, targets string, objects map[*configfs.Item]*configObject) configfs.Type {
	find := func(item *configfs.Item) *configObject {
		if to := objects[item]; slices.Contains(*kinds[targets].list(d), to) {
			return to
		}
		return nil
	}
	return configfs.Type{
		AllowLink: func(item *configfs.Item) error {
			d.mu.Lock()
			defer d.mu.Unlock()
			to := find(item)
			switch {
			case to == nil:
				return refuseConfig(unix.EINVAL, "%s is none of the %s of %s", item.Name(), targets, d.name)
			case d.live != nil:
				return refuseConfig(unix.EBUSY, "%s is enabled, so it gets no new links", d.name)
			case slices.Contains(o.possible, to):
				return refuseConfig(unix.EEXIST, "%s has a link to %s", o.name, to.name)
			}
			o.possible = append(o.possible, to)
			return nil
		},
		DropLink: func(item *configfs.Item) {
			d.mu.Lock()
			defer d.mu.Unlock()
			to := find(item)
			o.possible = slices.DeleteFunc(o.possible, func(other *configObject) bool { return other == to })
		},
	}
}

// attribute returns a file. get and set are called with mu held; set gets what was
// written, without the end of the line.
func (d *configDevice) attribute(name string, get func() int, set func(word string) error) configfs.Attribute {
	return configfs.Attribute{
		Name: name,
		Show: func() string {
			d.mu.Lock()
			defer d.mu.Unlock()
			return strconv.Itoa(get()) + "\n"
		},
		Store: func(data string) error {
			d.mu.Lock()
			defer d.mu.Unlock()
			return set(strings.TrimSuffix(data, "\n"))
		},
	}
}

// notEnabled refuses a change of an enabled device.
func (d *configDevice) notEnabled(what string) error {
	if d.live != nil {
		return refuseConfig(unix.EBUSY, "%s is enabled, so %s cannot change", d.name, what)
	}
	return nil
}

func (d *configDevice) planeAttrs(o *configObject) []configfs.Attribute {
	return []configfs.Attribute{d.attribute("type", func() int { return o.planeType }, func(word string) error {
		v, err := strconv.Atoi(word)
		if err != nil || v < uapi.PlaneTypeOverlay || v > uapi.PlaneTypeCursor {
			return refuseConfig(unix.EINVAL, "type %q of plane %s; write 0 (overlay), 1 (primary) or 2 (cursor)", word, o.name)
		}
		if err := d.notEnabled("the type of plane " + o.name); err != nil {
			return err
		}
		o.planeType = v
		return nil
	})}
}

func (d *configDevice) crtcAttrs(o *configObject) []configfs.Attribute {
	return []configfs.Attribute{d.attribute("writeback", func() int { return int(bit(o.writeback)) }, func(word string) error {
		v, err := parseBool(word)
		if err == nil {
			err = d.notEnabled("the writeback of CRTC " + o.name)
		}
		if err == nil {
			o.writeback = v
		}
		return err
	})}
}

func (d *configDevice) connectorAttrs(o *configObject) []configfs.Attribute {
	return []configfs.Attribute{d.attribute("status", func() int { return int(o.status) }, func(word string) error {
		v, err := strconv.ParseUint(word, 10, 32)
		if err != nil || v < uapi.ModeConnected || v > uapi.ModeUnknownConnection {
			return refuseConfig(unix.EINVAL, "status %q of connector %s; write 1 (connected), 2 (disconnected) or 3 (unknown)", word, o.name)
		}
		o.status = uint32(v)
		if d.live == nil || o.index < 0 {
			return nil
		}
		return d.live.SetStatus(o.index, o.status)
	})}
}

// parseBool is kstrtobool.
func parseBool(word string) (bool, error) {
	switch {
	case word == "":
	case strings.IndexByte("yYtT1", word[0]) >= 0, len(word) > 1 && strings.EqualFold(word[:2], "on"):
		return true, nil
	case strings.IndexByte("nNfF0", word[0]) >= 0, len(word) > 1 && strings.EqualFold(word[:2], "of"):
		return false, nil
	}
	return false, refuseConfig(unix.EINVAL, "%q is neither 0 nor 1", word)
}

func (d *configDevice) showEnabled() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strconv.Itoa(int(bit(d.live != nil))) + "\n"
}

func (d *configDevice) storeEnabled(data string) error {
	enable, err := parseBool(strings.TrimSuffix(data, "\n"))
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case enable && d.live == nil:
		return d.enable()
	case !enable && d.live != nil:
		return d.disable()
	}
	return nil
}

// enable makes the device. The caller holds mu.
func (d *configDevice) enable() error {
	config := ConfigOf(drm.Linux72)
	config.Topology = d.topology()
	if err := config.Topology.Validate(); err != nil {
		return refuseConfig(unix.EINVAL, "%s cannot be enabled: %v", d.name, err)
	}
	live, err := d.create(d.name, config)
	if err != nil {
		return err
	}
	d.live = live
	for _, o := range d.connectors {
		o.index = slices.Index(d.connectors, o)
	}
	return nil
}

// disable removes the device. The caller holds mu.
func (d *configDevice) disable() error {
	err := d.live.Remove()
	d.live = nil
	for _, o := range d.connectors {
		o.index = -1
	}
	return err
}

// release removes the device with its directory.
func (d *configDevice) release() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.live != nil {
		_ = d.disable() // a rmdir cannot fail any more
	}
}

// topology returns what is configured. The caller holds mu.
func (d *configDevice) topology() *Topology {
	mask := func(o *configObject, all []*configObject) (mask uint32) {
		for _, p := range o.possible {
			if i := slices.Index(all, p); i >= 0 && i < maxObjects {
				mask |= 1 << i
			}
		}
		return mask
	}
	t := new(Topology)
	for _, o := range d.planes {
		t.Planes = append(t.Planes, Plane{Name: o.name, Type: o.planeType, PossibleCRTCs: mask(o, d.crtcs)})
	}
	for _, o := range d.crtcs {
		t.CRTCs = append(t.CRTCs, CRTC{Name: o.name, Writeback: o.writeback})
	}
	for _, o := range d.encoders {
		t.Encoders = append(t.Encoders, Encoder{Name: o.name, PossibleCRTCs: mask(o, d.crtcs)})
	}
	for _, o := range d.connectors {
		t.Connectors = append(t.Connectors, Connector{Name: o.name, Status: o.status, PossibleEncoders: mask(o, d.encoders)})
	}
	return t
}
