package host_test

import (
	"os/exec"
	"testing"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/host"
)

// TestRefusedWrites checks that a program gets the error of a write to a virtual
// file, in whatever way it writes.
func TestRefusedWrites(t *testing.T) {
	const (
		uevent  = "/sys/class/drm/card0/uevent"
		control = "/sys/kernel/debug/dri/0/echo/control"
	)
	for _, user := range users {
		for _, tc := range []struct{ what, script, want string }{
			{"a shell", "echo garbage >" + uevent + "; echo $?", "1\n"},
			{"a shell that is right", "echo change >" + uevent + "; echo $?", "0\n"},
			{"printf", "printf refuse >" + control + "; echo $?", "1\n"},
			{"the error", "printf refuse | LC_ALL=C tee " + control + " 2>&1 >/dev/null | sed s/.*:.//", "Invalid argument\n"},
			{"a handler that panics", "printf panic | LC_ALL=C tee " + control + " 2>&1 >/dev/null | sed s/.*:.//", "Input/output error\n"},
			{"a descriptor that stays open", "exec 5>" + control + "; printf a >&5; echo $?; printf refuse >&5; echo $?; printf b >&5; echo $?; tail -n 2 " + control,
				"0\n1\n0\n\"a\"\n\"b\"\n"},
			{"a child with the descriptor", "(printf c; exec printf refuse) >" + control + "; echo $?; tail -n 1 " + control, "1\n\"c\"\n"},
			{"a file opened for both", "exec 5<>" + control + "; printf d >&5; echo $?; sleep 0.3; printf refuse >&5; echo $?; cat <&5", "0\n1\n"},
			{"python", "python3 -c 'f=open(\"" + control + "\",\"r+b\",0); print(f.read()); f.write(b\"e\")\ntry: f.write(b\"refuse\")\nexcept OSError as e: print(e)'", "b''\n[Errno 22] Invalid argument\n"},
			{"writers of one descriptor", "exec 5>" + control + "; for i in 1 2 3 4 5 6; do (printf refuse >&5; echo $?) & done; wait", "1\n1\n1\n1\n1\n1\n"},
		} {
			t.Run(user.name+"/"+tc.what, func(t *testing.T) {
				class := drm.NewClass(drm.ClassOptions{})
				newDevice(t, class, "vkms")
				h := newHost(t, class, host.Options{})
				if got := run(t, h, asUser(exec.Command("sh", "-c", "{ "+tc.script+"; } 2>/dev/null"), user.attr)); got != tc.want {
					t.Errorf("got %q, want %q", got, tc.want)
				}
			})
		}
	}
}
