package host_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/host"
	"github.com/udrm/udrm/host/doctor"
)

func TestDoctor(t *testing.T) {
	for _, user := range users {
		t.Run(user.name, func(t *testing.T) {
			findings := doctor.Examine(asUser(exec.Command(client, "doctorclient"), user.attr))
			if len(findings) != 10 {
				t.Errorf("%d findings", len(findings))
			}
			for _, f := range findings {
				if !f.OK || f.Name == "" || f.Seen == "" {
					t.Errorf("%+v", f)
				}
			}
		})
	}
}

// TestDoctorInside checks that the doctor finds the supervisor around it.
func TestDoctorInside(t *testing.T) {
	class := drm.NewClass(drm.ClassOptions{})
	newDevice(t, class, "vkms")
	h := newHost(t, class, host.Options{})
	out := run(t, h, exec.Command(client, "doctor"))
	if !strings.Contains(out, "seccomp notifications false") || !strings.Contains(out, "start udrm outside of that supervisor") {
		t.Errorf("inside of another host the doctor says:\n%s", out)
	}
}

// TestDoctorDenied checks what the doctor reports when a program's memory may
// not be read because it is not dumpable.
func TestDoctorDenied(t *testing.T) {
	cmd := exec.Command(client, "runasnobody", client, "doctor", "undumpable")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatal(err, string(out))
	}
	if !strings.Contains(string(out), "memory of programs false") || !strings.Contains(string(out), "process_vm_readv") {
		t.Errorf("the doctor says:\n%s", out)
	}
}
