// Command lit keeps a card enabled while another program runs, as the console
// does on a real machine: it sets the preferred mode with a black framebuffer,
// runs the program, and exits with its status.
//
//	lit /dev/dri/card0 modetest -M vkms
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"

	"github.com/udrm/udrm/internal/kmsclient"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: lit CARD PROGRAM ARG…")
		os.Exit(2)
	}
	err := run(os.Args[1], os.Args[2:])
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		os.Exit(exit.ExitCode())
	case err != nil:
		fmt.Fprintln(os.Stderr, "lit:", err)
		os.Exit(125)
	}
}

func run(path string, program []string) error {
	card, err := kmsclient.Open(path)
	if err != nil {
		return err
	}
	display, err := card.Display()
	if err != nil {
		return err
	}
	mode := display.Mode
	buffer, err := card.NewBuffer(int(mode.HDisplay), int(mode.VDisplay))
	if err != nil {
		return err
	}
	if err := card.SetCRTC(display, buffer.FB, mode); err != nil {
		return err
	}
	cmd := exec.Command(program[0], program[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd.Run()
}
