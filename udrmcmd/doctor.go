package udrmcmd

import (
	"fmt"
	"os"
	"os/exec"

	"github.com/udrm/udrm/host/doctor"
)

type doctorCmd struct{}

// Run checks the real thing: it serves a device of this process to a client.
func (cmd *doctorCmd) Run(a *app) error {
	if !procMounted() {
		fmt.Fprintf(a.stdout, "FAILED  /proc: it is not mounted\n        Mount it: mount -t proc proc /proc\n")
		return cmd.unhealthy(a)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	healthy := true
	for _, f := range doctor.Examine(exec.Command(self, "doctor-client")) {
		if f.OK {
			fmt.Fprintf(a.stdout, "ok      %s: %s\n", f.Name, f.Seen)
			continue
		}
		healthy = false
		fmt.Fprintf(a.stdout, "FAILED  %s: %s\n        %s\n", f.Name, f.Seen, f.Advice)
	}
	if !healthy {
		return cmd.unhealthy(a)
	}
	fmt.Fprintf(a.stdout, "%s can run on this machine.\n", a.Name)
	return nil
}

func (cmd *doctorCmd) unhealthy(a *app) error {
	fmt.Fprintf(a.stdout, "%s cannot run on this machine as it is.\n", a.Name)
	return ExitStatus(1)
}

// doctorClientCmd is the client that doctor starts.
type doctorClientCmd struct{}

func (cmd *doctorClientCmd) Run() error { return ExitStatus(doctor.Client(os.Stdout)) }
