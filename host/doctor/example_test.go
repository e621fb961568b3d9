package doctor_test

import (
	"fmt"
	"os"
	"os/exec"

	"github.com/udrm/udrm/host/doctor"
)

// A program examines the machine with itself as the client.
func ExampleExamine() {
	if len(os.Args) > 1 && os.Args[1] == "client" {
		os.Exit(doctor.Client(os.Stdout))
	}
	self, err := os.Executable()
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range doctor.Examine(exec.Command(self, "client")) {
		if !f.OK {
			fmt.Printf("%s: %s; %s\n", f.Name, f.Seen, f.Advice)
		}
	}
}
