package drm

import (
	"slices"

	"github.com/udrm/udrm/bus"
)

// A Kobject is an object of the class in sysfs: a node of a device, or a
// connector of it; or one of another class, such as fb0 of the class graphics.
// Its fields do not change once it is added.
type Kobject struct {
	Name          string
	Class         string      // "" stands for "drm"
	DevType       string      // "drm_minor" or "drm_connector"; "" for other classes
	Parent        *bus.Device // the device below which it appears
	ParentKobject *Kobject    // the node that a connector belongs to, nil for others
	Minor         *Minor      // nil for all but nodes of DRM
	Chardev       *Chardev    // the device below /dev of an object of another class
	Attrs         []Attr
}

// An Attr is a file in the directory of a [Kobject]. Show returns its content
// at this moment, with a newline at the end; it may be called at any time, also
// after the device is unplugged. Store takes the data of one write(2), as that
// of a [DebugfsFile] does; it is nil if the file cannot be written.
type Attr struct {
	Name  string
	Show  func() string
	Store func(data string) error
}

// A Uevent tells that an object came, went or changed.
type Uevent struct {
	Action  string // add, remove, change
	Kobject *Kobject
	Env     []string // further KEY=value, such as HOTPLUG=1
}

// Kobjects returns the objects of the class at this moment, parents first.
func (c *Class) Kobjects() []*Kobject {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.kobjects)
}

// AddKobject adds an object and announces it.
func (c *Class) AddKobject(k *Kobject) {
	c.mu.Lock()
	c.kobjects = append(c.kobjects, k)
	c.mu.Unlock()
	c.Send(Uevent{Action: "add", Kobject: k})
}

// RemoveKobject removes an object and announces that. It does nothing if the
// object was not added.
func (c *Class) RemoveKobject(k *Kobject) {
	c.mu.Lock()
	i := slices.Index(c.kobjects, k)
	if i >= 0 {
		c.kobjects = slices.Delete(c.kobjects, i, i+1)
	}
	c.mu.Unlock()
	if i >= 0 {
		c.Send(Uevent{Action: "remove", Kobject: k})
	}
}

// Subscribe calls f for every uevent of the class until cancel is called. f
// runs in the goroutine that causes the event, during registration or unplug:
// it must not wait for either.
func (c *Class) Subscribe(f func(Uevent)) (cancel func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.subscribers = append(c.subscribers, &f)
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.subscribers = slices.DeleteFunc(c.subscribers, func(other *func(Uevent)) bool { return other == &f })
	}
}

// Send announces e to the subscribers.
func (c *Class) Send(e Uevent) {
	c.mu.Lock()
	subscribers := slices.Clone(c.subscribers)
	c.mu.Unlock()
	for _, f := range subscribers {
		(*f)(e)
	}
}
