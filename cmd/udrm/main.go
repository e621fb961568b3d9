// Command udrm runs unmodified DRM programs on virtual display devices.
//
//	udrm run [flags] -- PROGRAM ARG…   run a program with virtual cards
//	udrm demo                          show what an unplug does, on two cards
//	udrm doctor                        can this machine run udrm?
//
// What the cards are is said by flags (describe.go), or by a file: see package
// config.
//
// Everything that udrm itself has to say begins with "udrm:"; its own failures
// exit with 125.
//
// Start reading at run.go; demo.go is the demo, and democlient.go its client.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/alecthomas/kong"
)

// exitFailure is the exit status of udrm's own failures, which no program
// should have.
const exitFailure = 125

// An exitStatus, as an error, is the status that udrm exits with, without a
// word of its own.
type exitStatus int

func (s exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

type cli struct {
	Run    runCmd    `cmd:"" help:"Run a program with virtual cards."`
	Demo   demoCmd   `cmd:"" help:"Show what an unplug does: two cards, one of them unplugged while requests are in flight."`
	Doctor doctorCmd `cmd:"" help:"Say whether this machine can run udrm."`

	// The programs that demo and doctor supervise.
	DemoClient   demoClientCmd   `cmd:"" hidden:""`
	DoctorClient doctorClientCmd `cmd:"" hidden:""`
}

func main() {
	var args cli
	parser, err := kong.New(&args, kong.Name("udrm"), kong.Description("A DRM subsystem in user space."), helpVars)
	if err != nil {
		panic(err) // the tags of cli are wrong
	}
	ctx, err := parser.Parse(os.Args[1:])
	if err == nil {
		err = ctx.Run(ctx)
	}
	var status exitStatus
	switch {
	case errors.As(err, &status):
		os.Exit(int(status))
	case err != nil:
		for line := range strings.SplitSeq(err.Error(), "\n") {
			fmt.Fprintln(os.Stderr, "udrm:", line)
		}
		os.Exit(exitFailure)
	}
}
