package host_test

import (
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/host"
)

func newVKMS(t *testing.T, attr *syscall.SysProcAttr) func(program string, args ...string) string {
	t.Helper()
	class := drm.NewClass(drm.ClassOptions{})
	drmtest.Bind(t, bus.New("platform"), "vkms", vkms.NewDriver(class, vkms.ConfigOf(drm.Linux612)).BusDriver())
	h := newHost(t, class, host.Options{})
	return func(program string, args ...string) string {
		t.Helper()
		return run(t, h, asUser(exec.Command(program, args...), attr))
	}
}

// TestTree compares the virtual files with those recorded of the kernel's vkms.
// They differ in autosuspend_delay_ms, as no read can be made to fail with EIO,
// and in driver and remove, as the kernel's vkms is on no bus with a driver.
func TestTree(t *testing.T) {
	for _, user := range users {
		t.Run(user.name, func(t *testing.T) {
			run := newVKMS(t, user.attr)
			power := func(dir string) string {
				return strings.ReplaceAll(`DIR/power/
DIR/power/async "disabled\n" <nil>
DIR/power/autosuspend_delay_ms "" <nil>
DIR/power/control "auto\n" <nil>
DIR/power/runtime_active_kids "0\n" <nil>
DIR/power/runtime_active_time "0\n" <nil>
DIR/power/runtime_enabled "disabled\n" <nil>
DIR/power/runtime_status "unsupported\n" <nil>
DIR/power/runtime_suspended_time "0\n" <nil>
DIR/power/runtime_usage "0\n" <nil>
`, "DIR", dir)
			}
			const dev = "/sys/devices/platform/vkms"
			connector := func(name, enabled, modes, status string) string {
				dir := dev + "/drm/card0/" + name
				return dir + "/\n" +
					dir + `/connector_id "N\n" <nil>` + "\n" +
					dir + "/device -> ../../card0\n" +
					dir + `/dpms "On\n" <nil>` + "\n" +
					dir + `/edid "" <nil>` + "\n" +
					dir + `/enabled "` + enabled + `\n" <nil>` + "\n" +
					dir + `/modes "` + modes + `" <nil>` + "\n" +
					power(dir) +
					dir + `/status "` + status + `\n" <nil>` + "\n" +
					dir + "/subsystem -> ../../../../../../class/drm\n" +
					dir + `/uevent "DEVTYPE=drm_connector\n" <nil>` + "\n"
			}
			want := map[string]string{
				"/dev/dri": `/dev/dri/by-path/
/dev/dri/by-path/platform-vkms-card -> ../card0
/dev/dri/card0 226:0
`,
				"/sys/class/drm": `/sys/class/drm/card0 -> ../../devices/platform/vkms/drm/card0
/sys/class/drm/card0-Virtual-1 -> ../../devices/platform/vkms/drm/card0/card0-Virtual-1
/sys/class/drm/card0-Writeback-1 -> ../../devices/platform/vkms/drm/card0/card0-Writeback-1
/sys/class/drm/version "drm 1.1.0 20060810\n" <nil>
`,
				dev: dev + `/driver -> ../../../bus/platform/drivers/vkms
` + dev + `/driver_override "(null)\n" <nil>
` + dev + `/drm/
` + dev + `/drm/card0/
` + connector("card0-Virtual-1", "disabled", "1024x768 and more", "connected") +
					connector("card0-Writeback-1", "disabled", "", "unknown") +
					dev + `/drm/card0/dev "226:0\n" <nil>
` + dev + `/drm/card0/device -> ../../../vkms
` + power(dev+"/drm/card0") + dev + `/drm/card0/subsystem -> ../../../../../class/drm
` + dev + `/drm/card0/uevent "MAJOR=226\nMINOR=0\nDEVNAME=dri/card0\nDEVTYPE=drm_minor\n" <nil>
` + dev + `/modalias "platform:vkms\n" <nil>
` + power(dev) + dev + `/remove "" open ` + dev + `/remove: permission denied
` + dev + `/subsystem -> ../../../bus/platform
` + dev + `/uevent "MODALIAS=platform:vkms\n" <nil>
`,
			}
			ids := regexp.MustCompile(`connector_id "\d+`)
			modes := regexp.MustCompile(`modes "1024x768\\n[^"]*"`)
			for dir, want := range want {
				got := run(client, "walk", dir)
				got = ids.ReplaceAllString(got, `connector_id "N`)
				got = modes.ReplaceAllString(got, `modes "1024x768 and more"`)
				if diff := diff(got, want); diff != "" {
					t.Errorf("below %s:\n%s", dir, diff)
				}
			}
		})
	}
}

// diff returns the lines that only one of two texts has.
func diff(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	var d strings.Builder
	for _, line := range g {
		if !slices.Contains(w, line) {
			fmt.Fprintf(&d, "got only:  %s\n", line)
		}
	}
	for _, line := range w {
		if !slices.Contains(g, line) {
			fmt.Fprintf(&d, "want only: %s\n", line)
		}
	}
	return d.String()
}

// TestPrograms checks what programs report that look at files in different
// ways.
func TestPrograms(t *testing.T) {
	for _, user := range users {
		run := newVKMS(t, user.attr)
		for _, c := range []struct {
			command string
			want    string // a regular expression for the whole output
		}{
			{"ls -l /dev/dri/card0", `crw-rw---- 1 root video 226, 0 .* /dev/dri/card0\n`},
			{"ls -la /dev/dri", `total 0\ndrwxr-xr-x .* \.\ndrwxr-xr-x .* \.\.\ndrwxr-xr-x .* by-path\ncrw-rw---- +1 root video 226, 0 .* card0\n`},
			{"ls -a /sys/class/drm", `\.\n\.\.\ncard0\ncard0-Virtual-1\ncard0-Writeback-1\nversion\n`},
			{"ls /dev/dri/", `by-path\ncard0\n`},
			{"stat -c '%A %U:%G %t:%T %h %F %n' /dev/dri/card0", `crw-rw---- root:video e2:0 1 character special file /dev/dri/card0\n`},
			{"stat -L -c '%F' /dev/dri/by-path/platform-vkms-card", `character special file\n`},
			{"stat -f -c %T /sys/class/drm /sys/class/drm/card0/dev", `sysfs\nsysfs\n`},
			{"find /dev/dri -type c", `/dev/dri/card0\n`},
			{"find -L /dev/dri -type c | sort", `/dev/dri/by-path/platform-vkms-card\n/dev/dri/card0\n`},
			{"find /sys/class /sys/bus/platform/devices -name 'card0*' -o -name vkms | sort", `/sys/bus/platform/devices/vkms\n/sys/class/drm/card0\n/sys/class/drm/card0-Virtual-1\n/sys/class/drm/card0-Writeback-1\n`},
			{"ls -d /sys/class/drm /sys/class/net /sys/dev/char/226:0", `/sys/class/drm\n/sys/class/net\n/sys/dev/char/226:0\n`},
			{"ls /sys/class | grep -cx -e drm -e net -e tty", `3\n`},
			{"ls /dev | grep -cx -e dri -e null -e zero", `3\n`},
			{"ls /sys/dev/char | grep -x 226:.*", `226:0\n`},
			{"readlink -f /sys/class/drm/card0 /dev/dri/by-path/platform-vkms-card /sys/dev/char/226:0/device", `/sys/devices/platform/vkms/drm/card0\n/dev/dri/card0\n/sys/devices/platform/vkms\n`},
			{"realpath /sys/class/drm/card0/device/subsystem /sys/class/drm/card0/subsystem", `/sys/bus/platform\n/sys/class/drm\n`},
			{"cat /sys/class/drm/card0/uevent", `MAJOR=226\nMINOR=0\nDEVNAME=dri/card0\nDEVTYPE=drm_minor\n`},
			{"cd /sys/class/drm; cat card0/dev; cd card0/device; pwd -P; cat drm/card0/dev", `226:0\n/sys/devices/platform/vkms\n226:0\n`},
			{"cd /dev/dri && test -c card0 && test -r card0 -a -w card0 && ! test -x card0 && test -d by-path && echo yes", `yes\n`},
			{"(echo x >/sys/class/drm/card0/dev) 2>&1 || true", `.*Permission denied\n`},
			{"cat /sys/class/drm/card0-Virtual-1/status | tr a-z A-Z", `CONNECTED\n`},
			{"cat < /dev/null && echo /dev/[np]ull /sys/class/d*m/card0", `/dev/null /sys/class/drm/card0\n`},
			{"cat /run/udev/data/c226:0", `S:dri/by-path/platform-vkms-card\nI:\d+\nE:ID_PATH=platform-vkms\nE:ID_PATH_TAG=platform-vkms\nE:ID_FOR_SEAT=drm-platform-vkms\nG:master-of-seat\nG:seat\nG:uaccess\nQ:master-of-seat\nQ:seat\nQ:uaccess\nV:1\n`},
			{"test -e /run/udev/control && test -S /run/udev/control && echo yes", `yes\n`},
			{"exec 5<>/dev/dri/card0; readlink /proc/self/fd/5; ls -lL /proc/self/fd/5; readlink /proc/$$/fd/5; stat -L -c %F /dev/fd/5", `/dev/dri/card0\ncrw-rw---- 1 root video 226, 0 .*\n/dev/dri/card0\ncharacter special file\n`},
			{"udevadm info --query=property --name=/dev/dri/card0 | sort", `CURRENT_TAGS=\S+\nDEVLINKS=/dev/dri/by-path/platform-vkms-card\nDEVNAME=/dev/dri/card0\nDEVPATH=/devices/platform/vkms/drm/card0\nDEVTYPE=drm_minor\nID_FOR_SEAT=drm-platform-vkms\nID_PATH=platform-vkms\nID_PATH_TAG=platform-vkms\nMAJOR=226\nMINOR=0\nSUBSYSTEM=drm\nTAGS=\S+\nUSEC_INITIALIZED=\d+\n`},
			{"udevadm info --export-db | grep -c '^P: /devices/platform/vkms'", `4\n`},
			{"unshare -Urpf --mount-proc sh -c 'exec 5<>/dev/dri/card0; readlink /proc/self/fd/5; readlink /proc/$$/fd/5; stat -L -c %F /proc/self/fd/5 /proc/1/fd/5; ls -l /dev/dri/card0'", `/dev/dri/card0\n/dev/dri/card0\ncharacter special file\ncharacter special file\ncrw-rw---- .*\n`},
			{"unshare -Urpf sh -c 'exec 5<>/dev/dri/card0; readlink /proc/self/fd/5; cat /sys/class/drm/card0/dev'", `/dev/dri/card0\n226:0\n`},
			{"find / -maxdepth 2 -path '/proc/*' -prune -o -name dri -print 2>/dev/null || true", `/dev/dri\n`},
		} {
			t.Run(user.name+"/"+c.command, func(t *testing.T) {
				got := run("sh", "-c", "export LC_ALL=C;"+c.command)
				if !regexp.MustCompile(`^(` + c.want + `)$`).MatchString(got) {
					t.Errorf("got %q, want %q", got, c.want)
				}
			})
		}
	}
}
