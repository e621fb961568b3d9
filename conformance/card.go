package conformance

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Card returns the device whose primary node is at path, for real system calls.
// unplug allows cases to unplug it, so that every user of the card loses it.
// That requires a driver that can be unbound in sysfs, or a vkms device made in
// configfs, and the permission to do so.
func Card(path string, unplug bool) (Target, error) {
	device, driver, err := sysfsDevice(path)
	if err != nil {
		return Target{}, err
	}
	t := Target{
		System:       Syscalls(),
		Surroundings: files{},
		Nodes:        func() (primary, render string, err error) { return sysfsNodes(device, filepath.Dir(path)) },
	}
	t.Fbdev = func() (string, error) { return fbdevNode(device, filepath.Dir(filepath.Dir(path))) }
	name := filepath.Base(device)
	unbind, enabled := filepath.Join(driver, "unbind"), filepath.Join("/sys/kernel/config/vkms", name, "enabled")
	switch {
	case !unplug:
		t.Why = "-unplug is not given"
	case unix.Access(enabled, unix.W_OK) == nil: // the faux bus cannot unbind
		t.Unplug = func() error { return os.WriteFile(enabled, []byte("0"), 0) }
		t.Plug = func() error { return os.WriteFile(enabled, []byte("1"), 0) }
	case driver == "":
		t.Why = fmt.Sprintf("%s has no driver that can be unbound", device)
	case unix.Access(unbind, unix.W_OK) != nil:
		t.Why = fmt.Sprintf("%s is not writable", unbind)
	default:
		t.Unplug = func() error { return os.WriteFile(unbind, []byte(name), 0) }
		t.Plug = func() error { return os.WriteFile(filepath.Join(driver, "bind"), []byte(name), 0) }
	}
	return t, nil
}

// sysfsDevice returns the directories of the node's device and of its driver.
// driver is "" if the device has none.
func sysfsDevice(path string) (device, driver string, err error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return "", "", &os.PathError{Op: "stat", Path: path, Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFCHR || unix.Major(st.Rdev) != drmMajor || unix.Minor(st.Rdev) >= firstRender {
		return "", "", fmt.Errorf("%s is not a primary DRM node", path)
	}
	device, err = filepath.EvalSymlinks(fmt.Sprintf("/sys/dev/char/%d:%d/device", drmMajor, unix.Minor(st.Rdev)))
	if err != nil {
		return "", "", err
	}
	if driver, err = filepath.EvalSymlinks(filepath.Join(device, "driver")); err != nil {
		driver = ""
	}
	return device, driver, nil
}

const (
	drmMajor    = 226
	firstRender = 128 // minor number
)

// sysfsNodes returns the current paths of a device's nodes in dir.
func sysfsNodes(device, dir string) (primary, render string, err error) {
	entries, err := os.ReadDir(filepath.Join(device, "drm"))
	if err != nil {
		return "", "", err
	}
	for _, e := range entries {
		switch path := filepath.Join(dir, e.Name()); {
		case strings.HasPrefix(e.Name(), "card"):
			primary = path
		case strings.HasPrefix(e.Name(), "renderD"):
			render = path
		}
	}
	if primary == "" {
		return "", "", fmt.Errorf("%s has no primary node", device)
	}
	return primary, render, nil
}

// fbdevNode returns the path of a device's fbdev node in dir.
func fbdevNode(device, dir string) (string, error) {
	entries, err := os.ReadDir(filepath.Join(device, "graphics"))
	if err != nil {
		return "", err
	}
	if len(entries) == 0 {
		return "", fmt.Errorf("%s has no fbdev device", device)
	}
	return filepath.Join(dir, entries[0].Name()), nil
}
