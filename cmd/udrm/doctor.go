package main

import (
	"fmt"
	"os"
	"os/exec"

	"github.com/udrm/udrm/host/doctor"
)

type doctorCmd struct{}

// Run tries the real thing: a device in this process, and a client that is
// served like any program.
func (cmd *doctorCmd) Run() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	healthy := true
	for _, f := range doctor.Examine(exec.Command(self, "doctor-client")) {
		if f.OK {
			fmt.Printf("ok      %s: %s\n", f.Name, f.Seen)
			continue
		}
		healthy = false
		fmt.Printf("FAILED  %s: %s\n        %s\n", f.Name, f.Seen, f.Advice)
	}
	if !healthy {
		fmt.Println("This machine cannot run udrm as it is.")
		return exitStatus(1)
	}
	fmt.Println("This machine can run udrm.")
	return nil
}

// doctorClientCmd is the program that doctor runs.
type doctorClientCmd struct{}

func (cmd *doctorClientCmd) Run() error { return exitStatus(doctor.Client(os.Stdout)) }
