package drm

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

// A DebugfsFile is a file of a device in debugfs: it shows or sets something
// that is no part of the uAPI. A host shows it below dri/ in debugfs, in the
// directory of the device.
//
// All functions may be called at any time, also after the device is unplugged,
// and concurrently. They must not wait for a client.
type DebugfsFile struct {
	// Path leads from the directory of the device to the file, such as
	// "crtc-0/crc/control". The directories on the way are implied.
	Path string

	// Show returns the content at this moment. It is nil if the file cannot be
	// read, or if Open serves it.
	Show func() string

	// Store takes the data of one write(2). It is nil if the file cannot be
	// written. A host may have told the client that the write succeeded before
	// it calls Store: an error is for reports only. A bad value should show
	// where it is used.
	Store func(data string) error

	// Open serves a file that is a stream: each delivery to sink is what one
	// read(2) returns. The returned Closer is closed with the last descriptor.
	// Its error should be, or wrap, an errno.
	Open func(sink EventSink) (io.Closer, error)
}

// A DebugfsPart is a [Part] with files in debugfs.
type DebugfsPart interface {
	// DebugfsFiles returns the files at this moment. It is called whenever an
	// object of the class came or went, during registration and unplug: it must
	// not wait for either.
	DebugfsFiles(dev *Device) []DebugfsFile
}

// DebugfsFiles returns the files of the device in debugfs at this moment: those
// of the core, of the parts, and of the driver.
func (d *Device) DebugfsFiles() []DebugfsFile {
	files := []DebugfsFile{
		{Path: "name", Show: d.showName},
		{Path: "clients", Show: d.showClients},
	}
	for _, p := range d.parts {
		if p, ok := p.(DebugfsPart); ok {
			files = append(files, p.DebugfsFiles(d)...)
		}
	}
	if d.driver.DebugfsFiles != nil {
		files = append(files, d.driver.DebugfsFiles(d)...)
	}
	return files
}

// showName is the content of file name (drm_name_info).
func (d *Device) showName() string {
	d.masterMu.Lock()
	defer d.masterMu.Unlock()
	master := ""
	if m := d.master.Load(); m != nil && m.unique != "" {
		master = " master=" + m.unique
	}
	return fmt.Sprintf("%s dev=%s%s unique=%s\n", d.driver.Info.Name, d.parent.Name(), master, d.Unique())
}

// showClients is the content of file clients (drm_clients_info), ordered by
// process. There may be very many, so little is done with masterMu held.
func (d *Device) showClients() string {
	type shown struct {
		*File
		magic uint32
	}
	var files []shown
	for _, f := range d.openFiles() {
		files = append(files, shown{File: f})
	}
	d.masterMu.Lock()
	for i := range files {
		files[i].magic = files[i].File.magic
	}
	d.masterMu.Unlock()
	slices.SortFunc(files, func(a, b shown) int {
		return cmp.Or(cmp.Compare(a.client.PID, b.client.PID), cmp.Compare(a.minor.number, b.minor.number), cmp.Compare(a.magic, b.magic))
	})
	yesNo := func(b bool) string {
		if b {
			return "y"
		}
		return "n"
	}
	var out strings.Builder
	newer := d.driver.Kernel == Linux72
	fmt.Fprintf(&out, "%20s %5s %3s master a %5s %10s", "command", "tgid", "dev", "uid", "magic")
	if newer {
		fmt.Fprintf(&out, " %64s %20s", "name", "id")
	}
	out.WriteByte('\n')
	for _, f := range files {
		fmt.Fprintf(&out, "%20s %5d %3d   %s    %s %5d %10d", f.client.Comm, f.client.PID, f.minor.number,
			yesNo(f.IsMaster()), yesNo(f.authenticated.Load()), f.client.UID, f.magic)
		if newer {
			fmt.Fprintf(&out, " %64s %20d", cmp.Or(f.clientName(), "<unset>"), f.id)
		}
		out.WriteByte('\n')
	}
	return out.String()
}
