package host_test

import (
	"os"
	"testing"
)

// TestMountView checks that the mounts of a sandbox hold for virtual files: what covers
// /sys, and what it sees without devices or read-only.
func TestMountView(t *testing.T) {
	const (
		open   = `(exec 3<>/dev/dri/card0) 2>&1 && echo opened; `
		noDevs = `mount --rbind /dev /dev; mount -o remount,bind,nodev /dev/dri 2>/dev/null; mount -o remount,bind,nodev /dev; `
		noSys  = `mount -t tmpfs none /sys; `
		roSys  = `mount --rbind /sys /sys; mount -o remount,bind,ro /sys; `
	)
	cases := []struct{ name, inside, want string }{
		{"none", open + "cat /sys/class/drm/card0/dev", "opened\n226:0\n"},
		{"no devices", noDevs + open + "test -w /dev/dri/card0 && echo writable", "sh: 1: cannot create /dev/dri/card0: Permission denied\nwritable\n"},
		{"no devices in a directory", noDevs + "cd /dev/dri; (exec 3<>card0) 2>&1", "sh: 1: cannot create card0: Permission denied\n"},
		{"covered", noSys + open + "ls -a /sys; ls -d /sys/class/drm/card0 2>&1", "opened\n.\n..\nls: cannot access '/sys/class/drm/card0': No such file or directory\n"},
		{"covered by files", noSys + "mkdir -p /sys/class/drm/card0; echo own >/sys/class/drm/card0/dev; cat /sys/class/drm/card0/dev; cd /sys/class/drm; cat card0/dev; ls", "own\nown\ncard0\n"},
		{"covered dri", "mount -t tmpfs none /dev; mkdir /dev/dri; echo own >/dev/dri/card0; cat /dev/dri/card0; " + open + "test -c /dev/dri/card0 || echo file", "own\nopened\nfile\n"},
	}
	if os.Getenv("UDRM_FILES") == "mounts" {
		cases = append(cases, []struct{ name, inside, want string }{
			{"covered dri alone", "mount -t tmpfs none /dev/dri; echo own >/dev/dri/card0; cat /dev/dri/card0", "own\n"},
		}...)
	} else {
		cases = append(cases, []struct{ name, inside, want string }{
			{"read-only", roSys + "cat /sys/class/drm/card0/dev; chmod 666 /sys/class/drm/card0/dev 2>&1; mkdir /sys/class/drm/x 2>&1",
				"226:0\nchmod: changing permissions of '/sys/class/drm/card0/dev': Read-only file system\nmkdir: cannot create directory '/sys/class/drm/x': Read-only file system\n"},
			{"another sysfs", "unshare -n sh -c 'mount -t sysfs none /sys; cat /sys/class/drm/card0/dev'", "226:0\n"},
		}...)
	}
	for _, user := range users {
		run := newVKMS(t, user.attr)
		for _, c := range cases {
			t.Run(user.name+"/"+c.name, func(t *testing.T) {
				got := run("unshare", "-Urm", "sh", "-c", "export LC_ALL=C; "+c.inside+"; true")
				if got != c.want {
					t.Errorf("got %q, want %q", got, c.want)
				}
			})
		}
	}
}
