package udrmcmd

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/alecthomas/kong"

	"github.com/udrm/udrm/host"
	"github.com/udrm/udrm/machine"
	"github.com/udrm/udrm/machine/config"
)

// Options describe a command.
type Options struct {
	// Name is the name of the command; default: udrm.
	Name string
	// Summary is the first line of the help.
	Summary string
	// Drivers are the drivers of the command, besides vkms and vgem. The first
	// one is the driver of cards that name none.
	Drivers []machine.Driver
	// Commands are further commands.
	Commands []Command
}

// A Command is a command below the main one.
type Command struct {
	Name, Help string
	Hidden     bool // not in the help
	// Args is a pointer to a struct whose fields are the flags and arguments
	// of the command, with the field tags of github.com/alecthomas/kong, and
	// which has a method Run() error.
	Args any
}

// An ExitStatus is an error of a [Command] that has already reported what is
// wrong. The command ends with this status and prints nothing.
type ExitStatus int

func (s ExitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// Exit statuses of the command itself. The others are those of the program
// that it runs.
const (
	statusFailure = 125
)

// app is a command with its options.
type app struct {
	Options
	stdout io.Writer
	// confine changes this process, and replaces it; nil: it must not.
	confine func() (*host.Launcher, error)
}

// cli is the command line of every command.
type cli struct {
	Run runCmd `cmd:"" help:"Run a program with virtual cards."`
	controlCmds

	Shrink shrinkCmd `cmd:"" help:"Find the smallest part of a storm that makes a program fail: give it the arguments of the run."`
	Trace  traceCmd  `cmd:"" help:"Show, compare or sum up traces of run --trace."`
	Doctor doctorCmd `cmd:"" help:"Check whether ${name} can run on this machine."`
	Help   helpCmd   `cmd:"" help:"Print help on a command or a topic: ${topics}."`

	Version versionFlag `help:"Print the version and exit."`

	DoctorClient doctorClientCmd `cmd:"" hidden:""`
}

// init keeps the main goroutine on the main thread, for host.Confine.
func init() { runtime.LockOSThread() }

// Main runs the command with the arguments of the process and exits. Call it in
// the main goroutine.
func Main(opts Options) {
	if len(os.Args) == 2 {
		switch os.Args[1] {
		case cleanerArgument:
			runHelper(host.Clean)
		case launcherArgument:
			runHelper(host.Launch)
		}
	}
	a := newApp(opts)
	a.confine = sync.OnceValues(confine)
	if runsProgram(os.Args[1:]) {
		_, _ = a.confine() // before the arguments are parsed, which the replaced process does again
	}
	stdout := &output{Writer: a.stdout}
	a.stdout = stdout
	err := a.run(os.Args[1:])
	if err == nil {
		err = stdout.err
	}
	var status ExitStatus
	switch {
	case errors.As(err, &status):
		os.Exit(int(status))
	case err != nil:
		for line := range strings.SplitSeq(err.Error(), "\n") {
			fmt.Fprintf(os.Stderr, "%s: %s\n", a.Name, line)
		}
		os.Exit(statusFailure)
	}
	os.Exit(0)
}

// output remembers that a write failed. A command that prints to a full disk has
// not succeeded.
type output struct {
	io.Writer
	err error
}

func (o *output) Write(p []byte) (int, error) {
	n, err := o.Writer.Write(p)
	o.err = cmp.Or(o.err, err)
	return n, err
}

// These arguments make the command a cleaner or a launcher: see [host.Options].
// Neither they nor /proc/self/exe contain the name of the command, so that
// killall and pkill of that name miss these processes.
const (
	cleanerArgument  = "clean-up-when-killed"
	launcherArgument = "start-programs"
)

// runHelper is such a process. It does not return.
func runHelper(main func() error) {
	if main() != nil {
		os.Exit(statusFailure)
	}
	os.Exit(0)
}

func newApp(opts Options) *app {
	a := &app{Options: opts, stdout: os.Stdout}
	a.Name = cmp.Or(a.Name, "udrm")
	a.Summary = cmp.Or(a.Summary, "Run DRM programs on virtual graphics cards.")
	return a
}

// runOnly is the command line of a run. To make the parser of all commands takes
// a tenth of the time of a short run.
type runOnly struct {
	Run     runCmd      `cmd:"" help:"Run a program with virtual cards."`
	Version versionFlag `help:"Print the version and exit."`
}

// parserFor returns the parser of a command line.
func (a *app) parserFor(args []string) *kong.Kong {
	if len(args) > 0 && args[0] == "run" {
		return a.parserOf(&runOnly{})
	}
	return a.parser()
}

// parser returns the parser of all commands.
func (a *app) parser() *kong.Kong {
	var commands []kong.Option
	for _, c := range a.Commands {
		var tags []string
		if c.Hidden {
			tags = append(tags, `hidden:""`)
		}
		commands = append(commands, kong.DynamicCommand(c.Name, c.Help, "", c.Args, tags...))
	}
	return a.parserOf(&cli{}, commands...)
}

func (a *app) parserOf(grammar any, commands ...kong.Option) *kong.Kong {
	options := []kong.Option{
		kong.Name(a.Name), kong.Description(a.Summary), kong.Bind(a),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}), kong.Help(a.printHelp),
		kong.Vars{
			"name": a.Name, "topics": strings.Join(topicNames(), ", "), "monitor_help": monitorHelp, "at_help": atHelp(),
			"driver": string(a.defaultDriver()), "drivers": strings.Join(a.driverNames(), ","), "driver_list": strings.Join(a.driverNames(), " or "), "max_cards": fmt.Sprint(config.MaxCards),
		},
	}
	options = append(options, rawMappers()...)
	parser, err := kong.New(grammar, append(options, commands...)...)
	if err != nil {
		panic(err) // the tags of a command are wrong
	}
	return parser
}

func (a *app) run(args []string) error {
	ctx, err := a.parserFor(args).Parse(args)
	if err != nil {
		err = a.explain(err)
		return errors.Join(err, a.reportParseError(args, err))
	}
	return ctx.Run(ctx)
}

// defaultDriver returns the driver of cards that name none.
func (a *app) defaultDriver() config.Driver {
	if len(a.Drivers) > 0 {
		return a.Drivers[0].Name
	}
	return config.VKMS
}

// driverNames returns the names of all drivers, the default one first.
func (a *app) driverNames() (names []string) {
	for _, d := range a.Drivers {
		names = append(names, string(d.Name))
	}
	for _, d := range []config.Driver{config.VKMS, config.VGEM} {
		if !slices.Contains(names, string(d)) {
			names = append(names, string(d))
		}
	}
	return names
}
