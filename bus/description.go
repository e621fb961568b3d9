package bus

// A Description says what programs find of a device: in sysfs, in uevents and in
// the database of udev. The zero value describes a platform device without
// anything special.
type Description struct {
	// Path is the directory of the device below /sys/devices. Its last element
	// is the name of the device. "" stands for BUS/NAME.
	Path string

	// Env are the properties KEY=value in uevents of the device and in its file
	// uevent; DRIVER is added. nil stands for MODALIAS=BUS:NAME alone.
	Env []string

	// Attrs are further files of the device.
	Attrs []Attr

	// IDPath is ID_PATH of udev. "" stands for BUS-NAME.
	IDPath string

	// Properties and Tags are further properties KEY=value and tags of udev for the
	// objects of the class that belong to the device, as rules of the machine set
	// them: ID_SEAT=seat1.
	Properties, Tags []string

	// Parents are the devices that the device is a part of, such as the USB
	// device of an interface, the outermost one first. They are on no [Bus].
	Parents []Parent
}

// An Attr is a constant file in sysfs.
type Attr struct{ Name, Content string }

// A Parent is a device that has a device of a [Bus] as a part.
type Parent struct {
	Bus    string // its subsystem
	Driver string // or ""
	Path   string // below /sys/devices
	Env    []string
	Attrs  []Attr
}

// AddDescribed is like [Bus.Add], for a device with a description.
func (b *Bus) AddDescribed(name string, description Description) (*Device, error) {
	return b.add(&Device{bus: b, name: name, description: description})
}

// Description returns the description that the device was added with.
func (d *Device) Description() Description { return d.description }
