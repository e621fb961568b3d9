package lookalike

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/udrm/udrm/bus"
)

// A Bus says where a card is and how it identifies itself there.
type Bus struct {
	// Type is the name of the bus: platform, pci, usb, faux, virtio or host1x.
	Type string
	// Name is the name of the device on the bus, such as 0000:00:02.0. "" is a
	// usual one.
	Name string
	// Driver is the name of the driver in /sys/bus/TYPE/drivers. "" stands for
	// the name of the DRM driver.
	Driver string

	// Of PCI and virtio, whose device is a PCI device. Of USB only the first two.
	Vendor, Device                   uint16
	SubsystemVendor, SubsystemDevice uint16
	Class                            uint32 // of PCI: 0x030000 is VGA, which 0 stands for
	Revision                         uint8
	BootVGA                          bool // the firmware has used this card

	// Compatible are the names of a platform device in the device tree, the
	// most specific one first. nil: the device is not in the device tree.
	Compatible []string
}

// BusTypes are the values of [Bus.Type].
var BusTypes = []string{"platform", "pci", "usb", "faux", "virtio", "host1x"}

// A Place is where a device is added: [bus.Bus.AddDescribed].
type Place struct {
	Bus, Name   string
	Description bus.Description
}

// The usual names of devices.
const (
	defaultPCI    = "0000:00:02.0"
	defaultUSB    = "1-2:1.0"
	usbController = "pci0000:00/0000:00:14.0"
	usbControlID  = "pci-0000:00:14.0"
	classVGA      = 0x030000
	classXHCI     = 0x0c0330
	virtioGPU     = 16 // the type of a virtio device
	virtioVendor  = 0x1af4
	virtioDevice  = 0x1050
	usbDev        = 5
)

// Validate checks the name of the device.
func (b *Bus) Validate() error {
	switch {
	case !slices.Contains(BusTypes, b.Type):
		return fmt.Errorf("%q is not a bus; write %s", b.Type, strings.Join(BusTypes, ", "))
	case strings.ContainsAny(b.Name, "/ \n") || b.Name == "." || b.Name == "..":
		return fmt.Errorf("%q cannot be the name of a device", b.Name)
	case b.Class > 0xffffff:
		return fmt.Errorf("class %#x has more than 24 bits", b.Class)
	}
	var err error
	switch b.Type {
	case "pci", "virtio":
		_, err = parsePCI(cmp.Or(b.Name, defaultPCI))
	case "usb":
		_, err = parseUSB(cmp.Or(b.Name, defaultUSB))
	}
	return err
}

// Place returns the place of the card. n is the number of cards with the same
// description before it: each has another name. driver is the name of the DRM
// driver.
func (b *Bus) Place(driver string, n int) Place {
	switch b.Type {
	case "pci":
		return b.pci(n)
	case "usb":
		return b.usb(n)
	case "virtio":
		return b.virtio(n)
	}
	kind := cmp.Or(b.Name, driver)
	name := kind
	if n > 0 {
		name = fmt.Sprintf("%s.%d", kind, n)
	}
	place := Place{Bus: b.Type, Name: name}
	if b.Type == "faux" {
		place.Description.Env = []string{}
		return place
	}
	place.Description.Env = []string{"MODALIAS=" + b.Type + ":" + kind}
	if b.Compatible != nil {
		place.Description.Env = openFirmware(name, b.Compatible)
	}
	return place
}

// openFirmware returns the properties of a device in the device tree.
func openFirmware(name string, compatible []string) []string {
	env := []string{"OF_NAME=" + name, "OF_FULLNAME=/" + name}
	alias := "MODALIAS=of:N" + name + "T(null)"
	for i, c := range compatible {
		env = append(env, fmt.Sprintf("OF_COMPATIBLE_%d=%s", i, c))
		alias += "C" + c
	}
	return append(env, fmt.Sprintf("OF_COMPATIBLE_N=%d", len(compatible)), alias)
}

// A pciAddress is the address of a PCI device.
type pciAddress struct{ domain, bus, slot, function uint }

func parsePCI(name string) (a pciAddress, err error) {
	n, err := fmt.Sscanf(name, "%4x:%2x:%2x.%1d", &a.domain, &a.bus, &a.slot, &a.function)
	if err != nil || n != 4 || a.String() != name || a.slot > 31 || a.function > 7 {
		return a, fmt.Errorf("%q is not the address of a PCI device; write it as %s", name, defaultPCI)
	}
	return a, nil
}

func (a pciAddress) String() string {
	return fmt.Sprintf("%04x:%02x:%02x.%d", a.domain, a.bus, a.slot, a.function)
}

// path returns the directory of the device below /sys/devices, and the bridge
// on the way there, or nil. A device on another bus than the first is behind a
// bridge.
func (a pciAddress) path() (path string, bridge []bus.Parent) {
	root := fmt.Sprintf("pci%04x:00", a.domain)
	if a.bus == 0 {
		return root + "/" + a.String(), nil
	}
	port := pciAddress{domain: a.domain, slot: 1 + (a.bus-1)%31, function: 0}
	const classBridge = 0x060400
	id := Bus{Vendor: 0x8086, Device: 0x1901, Class: classBridge}
	path = root + "/" + port.String()
	return path + "/" + a.String(), []bus.Parent{{Bus: "pci", Driver: "pcieport", Path: path, Env: id.pciEnv(port.String()), Attrs: id.pciAttrs()}}
}

// nth returns the address of the n-th card after the one at a.
func (a pciAddress) nth(n int) pciAddress {
	a.slot += uint(n)
	a.bus += a.slot / 32
	a.slot %= 32
	return a
}

func (b *Bus) class() uint32 { return cmp.Or(b.Class, classVGA) }

func (b *Bus) pciEnv(slot string) []string {
	class := b.class()
	return []string{
		fmt.Sprintf("PCI_CLASS=%X", class),
		fmt.Sprintf("PCI_ID=%04X:%04X", b.Vendor, b.Device),
		fmt.Sprintf("PCI_SUBSYS_ID=%04X:%04X", b.SubsystemVendor, b.SubsystemDevice),
		"PCI_SLOT_NAME=" + slot,
		fmt.Sprintf("MODALIAS=pci:v%08Xd%08Xsv%08Xsd%08Xbc%02Xsc%02Xi%02X", b.Vendor, b.Device, b.SubsystemVendor, b.SubsystemDevice,
			class>>16, class>>8&0xff, class&0xff),
	}
}

// pciConfig returns the standard header of the PCI configuration space.
func (b *Bus) pciConfig() string {
	var c [64]byte
	binary.LittleEndian.PutUint16(c[0:], b.Vendor)
	binary.LittleEndian.PutUint16(c[2:], b.Device)
	binary.LittleEndian.PutUint32(c[8:], b.class()<<8|uint32(b.Revision))
	binary.LittleEndian.PutUint16(c[0x2c:], b.SubsystemVendor)
	binary.LittleEndian.PutUint16(c[0x2e:], b.SubsystemDevice)
	return string(c[:])
}

func (b *Bus) pciAttrs() []bus.Attr {
	hex := func(name string, digits int, v uint32) bus.Attr {
		return bus.Attr{Name: name, Content: fmt.Sprintf("0x%0*x\n", digits, v)}
	}
	attrs := []bus.Attr{
		hex("vendor", 4, uint32(b.Vendor)), hex("device", 4, uint32(b.Device)),
		hex("subsystem_vendor", 4, uint32(b.SubsystemVendor)), hex("subsystem_device", 4, uint32(b.SubsystemDevice)),
		hex("class", 6, b.class()), hex("revision", 2, uint32(b.Revision)),
		{Name: "enable", Content: "1\n"}, {Name: "irq", Content: "0\n"}, {Name: "numa_node", Content: "-1\n"},
		{Name: "config", Content: b.pciConfig()},
		{Name: "resource", Content: strings.Repeat("0x0000000000000000 0x0000000000000000 0x0000000000000000\n", 13)},
	}
	if class := b.class(); class>>16 == classVGA>>16 {
		boot := "0\n"
		if b.BootVGA {
			boot = "1\n"
		}
		attrs = append(attrs, bus.Attr{Name: "boot_vga", Content: boot})
	}
	return attrs
}

func (b *Bus) pci(n int) Place {
	address, _ := parsePCI(cmp.Or(b.Name, defaultPCI)) // Validate has checked it
	address = address.nth(n)
	path, bridge := address.path()
	name := address.String()
	return Place{Bus: "pci", Name: name, Description: bus.Description{
		Path: path, Env: b.pciEnv(name), Attrs: b.pciAttrs(), IDPath: "pci-" + name, Parents: bridge,
	}}
}

// virtio returns the place of a virtio device, which is a part of a PCI device.
func (b *Bus) virtio(n int) Place {
	pci := *b
	pci.Vendor, pci.Device = cmp.Or(b.Vendor, virtioVendor), cmp.Or(b.Device, virtioDevice)
	of := pci.pci(n)
	name := fmt.Sprintf("virtio%d", n)
	hex := func(name string, v uint32) bus.Attr { return bus.Attr{Name: name, Content: fmt.Sprintf("0x%04x\n", v)} }
	return Place{Bus: "virtio", Name: name, Description: bus.Description{
		Path:   of.Description.Path + "/" + name,
		Env:    []string{fmt.Sprintf("MODALIAS=virtio:d%08Xv%08X", virtioGPU, virtioVendor)},
		Attrs:  []bus.Attr{hex("device", virtioGPU), hex("vendor", virtioVendor), {Name: "status", Content: "0x0000000f\n"}},
		IDPath: of.Description.IDPath,
		Parents: append(of.Description.Parents, bus.Parent{
			Bus: "pci", Driver: "virtio-pci", Path: of.Description.Path, Env: of.Description.Env, Attrs: of.Description.Attrs,
		}),
	}}
}

// A usbAddress is an interface of a USB device: BUS-PORT:CONFIG.INTERFACE.
type usbAddress struct{ bus, port, config, iface uint }

func parseUSB(name string) (a usbAddress, err error) {
	n, err := fmt.Sscanf(name, "%d-%d:%d.%d", &a.bus, &a.port, &a.config, &a.iface)
	if err != nil || n != 4 || a.String() != name || a.bus == 0 || a.port == 0 {
		return a, fmt.Errorf("%q is not an interface of a USB device; write it as %s", name, defaultUSB)
	}
	return a, nil
}

func (a usbAddress) device() string { return fmt.Sprintf("%d-%d", a.bus, a.port) }

func (a usbAddress) String() string { return fmt.Sprintf("%s:%d.%d", a.device(), a.config, a.iface) }

// usb returns the place of an interface of a USB device, which is a part of a
// controller on PCI.
func (b *Bus) usb(n int) Place {
	a, _ := parseUSB(cmp.Or(b.Name, defaultUSB)) // Validate has checked it
	a.port += uint(n)
	number := usbDev + n
	product := fmt.Sprintf("PRODUCT=%x/%x/100", b.Vendor, b.Device)
	root := fmt.Sprintf("%s/usb%d", usbController, a.bus)
	controller := Bus{Vendor: 0x8086, Device: 0xa36d, Class: classXHCI}
	device := bus.Parent{
		Bus: "usb", Driver: "usb", Path: root + "/" + a.device(),
		Env: []string{"DEVTYPE=usb_device", product, "TYPE=0/0/0", fmt.Sprintf("BUSNUM=%03d", a.bus), fmt.Sprintf("DEVNUM=%03d", number)},
		Attrs: []bus.Attr{
			{Name: "idVendor", Content: fmt.Sprintf("%04x\n", b.Vendor)}, {Name: "idProduct", Content: fmt.Sprintf("%04x\n", b.Device)},
			{Name: "busnum", Content: fmt.Sprintf("%d\n", a.bus)}, {Name: "devnum", Content: fmt.Sprintf("%d\n", number)},
		},
	}
	return Place{Bus: "usb", Name: a.String(), Description: bus.Description{
		Path: device.Path + "/" + a.String(),
		Env: []string{"DEVTYPE=usb_interface", product, "TYPE=0/0/0", "INTERFACE=255/0/0",
			fmt.Sprintf("MODALIAS=usb:v%04Xp%04Xd0100dc00dsc00dp00icFFisc00ip00in%02X", b.Vendor, b.Device, a.iface)},
		Attrs:  []bus.Attr{{Name: "bInterfaceNumber", Content: fmt.Sprintf("%02x\n", a.iface)}},
		IDPath: fmt.Sprintf("%s-usb-0:%d:%d.%d", usbControlID, a.port, a.config, a.iface),
		Parents: []bus.Parent{
			{Bus: "pci", Driver: "xhci_hcd", Path: usbController, Env: controller.pciEnv("0000:00:14.0"), Attrs: controller.pciAttrs()},
			{Bus: "usb", Driver: "usb", Path: root, Env: []string{"DEVTYPE=usb_device", "PRODUCT=1d6b/2/612", fmt.Sprintf("BUSNUM=%03d", a.bus), "DEVNUM=001"}},
			device,
		},
	}}
}
