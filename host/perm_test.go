package host_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/host"
)

// TestPerms checks that chmod and chown of virtual files work for root only,
// until the file is removed.
func TestPerms(t *testing.T) {
	for _, user := range users {
		t.Run(user.name, func(t *testing.T) {
			class := drm.NewClass(drm.ClassOptions{})
			parent := drmtest.Bind(t, bus.New("platform"), "vkms", vkms.NewDriver(class, vkms.ConfigOf(drm.Linux612)).BusDriver())
			h := newHost(t, class, host.Options{})
			sh := func(command string) string {
				t.Helper()
				return run(t, h, asUser(exec.Command("sh", "-c", "export LC_ALL=C; exec 2>&1; cd /dev/dri; "+command), user.attr))
			}
			expect := func(command, want string) {
				t.Helper()
				if got := sh(command); !regexp.MustCompile(`^(` + want + `)$`).MatchString(got) {
					t.Errorf("%s: got %q, want %q", command, got, want)
				}
			}
			// The path leads through virtual directories, which the kernel does
			// not know: the host changes the file with the program's
			// privileges.
			ours := filepath.Join(filepath.Dir(client), "ours")
			if err := errors.Join(os.WriteFile(ours, nil, 0o600), os.Chmod(ours, 0o600)); err != nil {
				t.Fatal(err)
			}
			if user.attr != nil {
				expect("chmod 606 ../..$(realpath "+ours+") || stat -c %a "+ours, `.*Operation not permitted\n600\n`)
			} else {
				expect("chmod 606 ../..$(realpath "+ours+") && stat -c %a "+ours, `606\n`)
			}
			if os.Geteuid() != 0 || user.attr != nil {
				expect("chmod 666 card0 || stat -c %a card0", `.*Operation not permitted\n660\n`)
				expect("chown $(id -u) card0 || stat -c %u card0", `.*Operation not permitted\n0\n`)
				return
			}
			expect("chmod 666 card0 && stat -c %A card0 /dev/dri/by-path/../card0", `crw-rw-rw-\ncrw-rw-rw-\n`)
			expect("stat -c %a card0; exec 5<card0; stat -L -c %a /proc/self/fd/5", `666\n666\n`) // another process
			expect("chown 1:2 by-path/platform-vkms-card; stat -c %u:%g:%a card0", `1:2:666\n`)
			expect("chown -h 3 by-path/platform-vkms-card; stat -c %u:%F by-path/platform-vkms-card card0", `3:symbolic link\n1:character special file\n`)
			expect("chgrp 0 card0; chmod o-rw card0; stat -c %u:%g:%a card0", `1:0:660\n`)
			expect("chmod 640 nothing || true", `.*No such file or directory\n`)
			expect("cd /tmp && f=$(mktemp) && chmod 604 $f && chown 1 $f && stat -c %a:%u $f; rm $f", `604:1\n`) // a real one
			if err := parent.Unbind(context.Background()); err != nil {
				t.Fatal(err)
			}
			if err := parent.Rebind("vkms"); err != nil {
				t.Fatal(err)
			}
			expect("stat -c %u:%a card0", `0:660\n`)
		})
	}
}
