package vkms_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/configfs"
	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm/uapi"
)

// made is a device that a test has enabled.
type made struct {
	log     *[]string
	refused error
}

func (m made) SetStatus(connector int, status uint32) error {
	*m.log = append(*m.log, fmt.Sprintf("connector %d: %d", connector, status))
	return m.refused
}

func (m made) Remove() error {
	*m.log = append(*m.log, "remove")
	return nil
}

// TestConfigfs configures a device with two CRTCs, and tries what the kernel
// refuses. cmd/udrm has the kernel's own session.
func TestConfigfs(t *testing.T) {
	var log []string
	var last vkms.Config
	var refuse error
	f := configfs.New(vkms.ConfigfsItem(func(name string, config vkms.Config) (vkms.Live, error) {
		if refuse != nil {
			return nil, refuse
		}
		log = append(log, "create "+name)
		last = config
		return made{log: &log}, nil
	}))
	step := func(what string, err error, want unix.Errno) {
		t.Helper()
		if want == 0 && err != nil || want != 0 && !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	file := func(path string) (found configfs.Attribute) {
		f.Walk(configfs.Visitor{
			Dir:  func(string) {},
			Link: func(string, string) {},
			File: func(p string, a configfs.Attribute) {
				if p == "vkms/"+path {
					found = a
				}
			},
		})
		if found.Store == nil {
			t.Fatalf("there is no file %s", path)
		}
		return found
	}
	write := func(path, data string, want unix.Errno) {
		t.Helper()
		step("write "+data+" to "+path, file(path).Store(data), want)
	}

	step("the default device", f.Mkdir("vkms", "vkms"), unix.EINVAL)
	step("a device", f.Mkdir("vkms", "d"), 0)
	step("another device", f.Mkdir("vkms", "e"), 0)
	step("a CRTC of the other", f.Mkdir("vkms/e/crtcs", "c"), 0)
	for _, o := range []string{"crtcs/c0", "crtcs/c1", "planes/p0", "planes/p1", "planes/top", "encoders/e", "connectors/k", "connectors/l"} {
		kind, name, _ := strings.Cut(o, "/")
		step(o, f.Mkdir("vkms/d/"+kind, name), 0)
	}
	step("an object of no kind", f.Mkdir("vkms/d", "fans"), unix.EPERM)
	link := func(dir, to string, want unix.Errno) {
		t.Helper()
		step("link "+dir+" to "+to, f.Symlink("vkms/"+to, "vkms/d/"+dir, to[len(to)-2:]), want)
	}
	link("planes/p0/possible_crtcs", "d/crtcs/c0", 0)
	link("planes/p1/possible_crtcs", "d/crtcs/c1", 0)
	link("planes/top/possible_crtcs", "d/crtcs/c0", 0)
	link("planes/top/possible_crtcs", "d/crtcs/c1", 0)
	link("encoders/e/possible_crtcs", "d/crtcs/c0", 0)
	link("encoders/e/possible_crtcs", "d/crtcs/c1", 0)
	link("encoders/e/possible_crtcs", "e/crtcs/c", unix.EINVAL)
	link("encoders/e/possible_crtcs", "d/planes/p0", unix.EINVAL)
	link("connectors/k/possible_encoders", "d/crtcs/c0", unix.EINVAL)
	link("crtcs/c0", "d/crtcs/c1", unix.EPERM)
	step("link of a connector", f.Symlink("vkms/d/encoders/e", "vkms/d/connectors/k/possible_encoders", "e"), 0)
	step("link of a connector", f.Symlink("vkms/d/encoders/e", "vkms/d/connectors/l/possible_encoders", "e"), 0)

	write("d/planes/p0/type", "1\n", 0)
	write("d/planes/p1/type", "1", 0)
	for _, bad := range []string{"3", "-1", "", "primary", "1 "} {
		write("d/planes/top/type", bad, unix.EINVAL)
	}
	write("d/connectors/l/status", "2\n", 0)
	write("d/connectors/l/status", "0\n", unix.EINVAL)
	write("d/crtcs/c1/writeback", "Y\n", 0)
	write("d/crtcs/c0/writeback", "2\n", unix.EINVAL)
	write("e/enabled", "1\n", unix.EINVAL) // it has no planes
	refuse = unix.EEXIST
	write("d/enabled", "1\n", unix.EEXIST)
	refuse = nil
	write("d/enabled", "on\n", 0)
	write("d/enabled", "1\n", 0)
	if got := file("d/enabled").Show(); got != "1\n" {
		t.Errorf("enabled: %q", got)
	}
	write("d/planes/top/type", "2\n", unix.EBUSY)
	write("d/crtcs/c0/writeback", "1\n", unix.EBUSY)
	step("a CRTC of an enabled device", f.Mkdir("vkms/d/crtcs", "x"), unix.EBUSY)
	write("d/connectors/l/status", "1\n", 0)
	write("d/connectors/l/status", "4\n", unix.EINVAL)
	write("d/enabled", "off\n", 0)
	write("d/enabled", "0\n", 0)
	write("d/enabled", "1\n", 0)
	for _, l := range []string{"planes/p0/possible_crtcs c0", "planes/p1/possible_crtcs c1"} {
		dir, name := l[:len(l)-3], l[len(l)-2:]
		step("unlink "+l, f.Unlink("vkms/d/"+dir, name), 0)
	}
	step("remove a plane of an enabled device", f.Rmdir("vkms/d/planes/p0"), 0)
	if want := []string{"create d", "connector 1: 1", "remove", "create d"}; !slices.Equal(log, want) {
		t.Errorf("the machine was told %q, want %q", log, want)
	}
	if got := last.Topology; got.Planes[2] != (vkms.Plane{Name: "top", PossibleCRTCs: 3}) || got.Planes[1].Type != uapi.PlaneTypePrimary ||
		!got.CRTCs[1].Writeback || got.Connectors[1].PossibleEncoders != 1 {
		t.Errorf("the device is %+v", got)
	}
}
