package udrmcmd

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/alecthomas/kong"
	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/control"
	"github.com/udrm/udrm/host"
	"github.com/udrm/udrm/machine"
	"github.com/udrm/udrm/machine/aim"
)

type runCmd struct {
	cardFlags `embed:"" group:"Cards:"`

	At        []timedAction `sep:"none" placeholder:"TIME:ACTION=CARD" help:"${at_help}"`
	On        []aimedRule   `sep:"none" placeholder:"EVENT:EFFECT" help:"Do something at an event of the program, such as MODE_ATOMIC#3:unplug or ADDFB2#3:error=ENOSPC. Repeat the flag for more rules; see \"${name} help on\"."`
	Storm     *stormArg     `placeholder:"SEED" help:"Unplug cards and monitors, plug them in again, and let requests fail or wait: at random, but equally for each run with this SEED. See \"${name} help storm\"."`
	Clock     string        `enum:"real,step,fast" default:"real" placeholder:"MODE" help:"What makes vblanks happen: real time, step (you step them; see \"${name} help clock\"), or fast (a vblank comes as soon as the program waits for it). Default: ${default}."`
	Lenient   bool          `help:"Keep the exit status of the program even if an action of --at or --on failed or was missed, a rule of --expect does not hold, or the program cannot use the cards."`
	Leftovers leftovers     `placeholder:"POLICY" default:"kill:5s" help:"What to do with processes that the program leaves behind: kill[:TIME] gives them TIME to end, wait waits for them, report only names them; default: ${default}."`
	HangUp    bool          `help:"On unplug, deliver POLLHUP to the program and end its reads. The kernel does neither."`
	Seat      bool          `help:"Give the program a seat, from which compositors get the cards, as of seatd and logind; see \"${name} help seat\"."`
	EveryUser bool          `help:"Let programs of every user write the files of sysfs and use debugfs. Without it, only your own and those of root may."`
	EveryRoot bool          `help:"Show the cards also to programs in a chroot or container whose /dev is another one."`
	Files     string        `enum:"calls,mounts,auto" default:"calls" env:"UDRM_FILES" placeholder:"HOW" help:"How programs see the files of the cards: calls answers all calls on paths, which makes those on other files slower; mounts mounts the files in a namespace of the programs, which takes root and /dev/fuse; auto is mounts where that is possible, on x86-64, not under a debugger and without --every-root, and calls elsewhere. Default: ${default}."`
	Trace     fileName      `placeholder:"FILE" help:"Write each request with its arguments and answer to FILE; see \"${name} help trace-format\", and \"${name} help trace\" to read it."`
	Report    []reportFile  `sep:"none" placeholder:"FILE" help:"Write a report of the run to FILE: JSON, or JUnit XML if its name ends in .xml or is written as junit:FILE. Repeat the flag for more files; see \"${name} help report\"."`
	Expect    []expectation `sep:"none" placeholder:"RULE" help:"Fail the run unless it fulfils the rule, such as frames>=60, no-leaks or matches:card0:DP-1=FILE. Repeat the flag for more rules; see \"${name} help report\"."`
	Name      machineName   `placeholder:"NAME" help:"Name the machine, for --machine of ls, plug and so on; default: the process ID."`
	View      viewFlag      `placeholder:"ADDR" help:"Show the machine in a browser: print the URL of a page with its screens, cards and requests. ADDR is where to serve it, such as --view=127.0.0.1:8080; default: any port of 127.0.0.1."`
	Verbose   bool          `short:"v" help:"Tell what happens: programs, cards, opens, hot-plugs, and each refused request with its reason."`
	Program   []string      `arg:"" passthrough:"partial" help:"The program and its arguments."`

	reported bool // the reports of the run are written
}

// Run runs the program. Its error is nil or the status to exit with. If it fails
// without a report, the reports say so.
func (cmd *runCmd) Run(ctx *kong.Context, a *app) error {
	err := cmd.start(ctx, a)
	var status ExitStatus
	if err != nil && !errors.As(err, &status) && !cmd.reported {
		failure := writeFailure(cmd.Report, cmd.program(), err)
		if failure == nil || err.Error() != failure.Error() { // else it has failed twice
			err = errors.Join(err, failure)
		}
	}
	return err
}

// runsProgram reports whether arguments are sure to be those of a run.
func runsProgram(args []string) bool {
	return len(args) > 1 && args[0] == "run" && slices.Contains(args, "--")
}

// confine is [host.Confine] for a run.
func confine() (*host.Launcher, error) {
	if err := checkProc(); err != nil {
		return nil, err
	}
	launcher, err := host.Confine([]string{"/proc/self/exe", launcherArgument})
	if err == nil {
		runtime.UnlockOSThread() // see init
	}
	return launcher, err
}

// program returns the program and its arguments.
func (cmd *runCmd) program() []string {
	if len(cmd.Program) > 0 && cmd.Program[0] == "--" {
		return cmd.Program[1:]
	}
	return cmd.Program
}

func (cmd *runCmd) start(ctx *kong.Context, a *app) (err error) {
	if err := checkProc(); err != nil {
		return err
	}
	var launcher *host.Launcher
	if a.confine != nil {
		if launcher, err = a.confine(); err != nil {
			return err
		}
		defer launcher.Close()
	}
	list, template, err := cmd.describe(a, givenCardFlags(ctx))
	if err != nil {
		return err
	}
	program := cmd.program()
	if len(program) == 0 {
		return errors.New("there is no program to run; write it after --")
	}
	if err := cmd.checkFiles(); err != nil {
		return err
	}
	level := slog.LevelWarn
	if cmd.Verbose {
		level = slog.LevelDebug
	}
	repeat := func(steps []string) string {
		return commandLine(append([]string{a.Name}, runWith(ctx, slices.Concat(cmd.rules(), steps))...)...)
	}
	r := &runner{runCmd: cmd, app: a.Name, repeat: repeat, log: newLogger(a.Name, level, os.Stderr)}
	tracer, endTrace, err := startTrace(string(cmd.Trace))
	if err != nil {
		return err
	}
	defer func() {
		if traceErr := endTrace(); traceErr != nil {
			if status := ExitStatus(0); errors.As(err, &status) {
				err = nil // a run without its trace has failed
			}
			err = errors.Join(err, traceErr)
		}
	}()
	r.machine, err = machine.New(list, machine.Options{
		Tracer: tracer, Clock: machine.ClockMode(cmd.Clock),
		Template: template, Drivers: a.Drivers, HangUp: cmd.HangUp, Logger: r.log,
		Cleaner: []string{"/proc/self/exe", cleanerArgument}, Launcher: launcher,
		AdoptOrphans: true, RaiseGOMAXPROCS: true, RaiseDescriptorLimit: true, ReserveThreads: true,
		EveryUser: cmd.EveryUser, EveryRoot: cmd.EveryRoot, Seat: cmd.Seat, Files: machine.Files(cmd.Files),
	})
	if err != nil {
		return err
	}
	status, err := r.serve(program)
	if r.abandoned {
		err = errors.Join(err, r.machine.Abandon())
	} else {
		err = errors.Join(err, r.machine.Close(context.Background()))
	}
	if err != nil {
		return err
	}
	return r.exitStatus(status)
}

// serve runs the program, with the control socket and the reports of the run. It
// returns the exit status of the program.
func (r *runner) serve(program []string) (status int, err error) {
	if err := r.startReport(program); err != nil {
		return 0, err
	}
	forward := catchSignals() // by the control socket, others know that the run has begun
	defer forward.stop()
	endControl, err := r.startControl()
	if err != nil {
		if r.report != nil {
			r.report.stop()
		}
		return 0, err
	}
	status, err = r.run(program, forward)
	return status, errors.Join(err, r.endReport(status, err), endControl())
}

// exitStatus returns the exit status of the run, from that of the program.
func (r *runner) exitStatus(program int) ExitStatus {
	switch {
	case r.Lenient, r.report != nil && r.report.startErr != nil:
	case r.failed() || r.machine.Denied() != nil:
		return statusFailure
	case r.expectsExit():
		return 0
	}
	return ExitStatus(program)
}

// startControl begins to serve the control socket, and the page of --view. The
// function that it returns ends that. Without --name and --view, a machine can
// do without the socket: there may be no directory to write to.
func (r *runner) startControl() (end func() error, err error) {
	var page pageOpener
	server, err := control.Serve(r.machine, control.Options{Name: string(r.Name), Logger: r.log, View: page.open})
	switch {
	case err == nil:
		r.server = server
	case r.Name != "":
		return nil, fmt.Errorf("--name: %w", err)
	case r.View.given:
		return nil, fmt.Errorf("--view: %w", err)
	default:
		r.log.Info(fmt.Sprintf("no other process can control this machine: %v", err))
		return func() error { return nil }, nil
	}
	page.serveWith(r.machine, server, r.log)
	end = func() error { return errors.Join(page.close(), server.Close()) }
	if r.View.given {
		url, err := page.open(r.View.address)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("--view: %w", err), end())
		}
		fmt.Fprintf(os.Stderr, "%s: the machine is shown at %s\n", r.app, url)
	}
	return end, nil
}

// socket returns the path of the control socket, or "".
func (r *runner) socket() string {
	if r.server == nil {
		return ""
	}
	return r.server.Path()
}

// checkProc returns an error if /proc is missing. Without it, the memory and
// the descriptors of the program are out of reach.
func checkProc() error {
	if !procMounted() {
		return errors.New("/proc is not mounted, so no program could use a card; mount it: mount -t proc proc /proc")
	}
	return nil
}

func procMounted() bool {
	var st unix.Statfs_t
	return unix.Statfs("/proc", &st) == nil && st.Type == unix.PROC_SUPER_MAGIC
}

// A runner is one run of a program.
type runner struct {
	*runCmd
	app     string // the name of the command
	log     *slog.Logger
	machine *machine.Machine
	server  *control.Server // of the control socket, or nil

	triggers []*aim.Trigger // of --on
	storm    []*aim.Trigger // of --storm
	repeat   func(steps []string) (commandLine string)

	report *runReport // nil: neither --report nor --expect

	mu       sync.Mutex
	failures int // actions that failed, or whose time or event never came

	abandoned bool // leftovers live on
}

// run runs the program to its end, and returns its exit status.
func (r *runner) run(args []string, forward *forwarder) (status int, err error) {
	if err := r.checkActions(); err != nil {
		return 0, err
	}
	if err := errors.Join(r.aimRules(), r.aimStorm()); err != nil {
		return 0, err
	}
	program := command(args)
	program.Stdin, program.Stdout, program.Stderr = os.Stdin, os.Stdout, os.Stderr
	program.Env = append(os.Environ(), control.Environment+"="+r.socket())
	started := forward.starting()
	p, err := r.machine.Start(program)
	started()
	if err != nil {
		if status := startStatus(err); status != statusFailure {
			r.log.Error(err.Error())
			r.report.notStarted(err)
			return status, nil
		}
		return 0, err
	}
	stop := r.startActions()
	forward.to(p)
	status, err = p.Wait()
	stop()
	r.waitForLeftovers(forward, p)
	r.endRules()
	return status, err
}

// shell runs scripts without a "#!" line.
const shell = "/bin/sh"

// scriptHead is how much of a file is looked at to tell a script from data.
const scriptHead = 512

// command returns the command of a program. A script without a "#!" line is run
// by the shell, as env and execvp do.
func command(args []string) *exec.Cmd {
	cmd := exec.Command(args[0], args[1:]...)
	if cmd.Err != nil || unix.Access(cmd.Path, unix.X_OK) != nil {
		return cmd
	}
	file, err := os.Open(cmd.Path)
	if err != nil {
		return cmd
	}
	defer file.Close()
	head := make([]byte, scriptHead)
	n, err := io.ReadFull(file, head)
	head = head[:n]
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) { // a directory
		return cmd
	}
	if bytes.HasPrefix(head, []byte("#!")) || bytes.IndexByte(head, 0) >= 0 {
		return cmd
	}
	return exec.Command(shell, append([]string{cmd.Path}, args[1:]...)...)
}

// startStatus returns the exit status for a program that could not be started:
// 127 if it does not exist, 126 if it is not executable, as env(1) has it.
func startStatus(err error) int {
	switch {
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		return 127
	case errors.Is(err, fs.ErrPermission), errors.Is(err, unix.ENOEXEC), errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ELOOP),
		errors.Is(err, unix.ENAMETOOLONG), errors.Is(err, unix.E2BIG), errors.Is(err, unix.ETXTBSY), errors.Is(err, unix.EISDIR):
		return 126
	}
	return statusFailure
}

// checkActions returns an error if an action of --at or a rule of --on names
// what does not exist. A card that is not described exists if an action plugs
// it in.
func (r *runner) checkActions() error {
	r.describeLater()
	var errs []error
	for i := range r.At {
		a := &r.At[i]
		if err := a.Check(r.machine); err != nil {
			errs = append(errs, fmt.Errorf("--at %v: %w%s", a, err, r.moreCards(a.Card)))
		}
	}
	for _, rule := range r.On {
		err := rule.Check(r.machine)
		if err == nil && rule.PID != 0 {
			err = fmt.Errorf("no program has started, so its process ID is not known; write comm=NAME, or use %s on", r.app)
		}
		if err != nil {
			advice := r.moreCards(rule.Card)
			if rule.Action != nil && advice == "" {
				advice = r.moreCards(rule.Action.Card)
			}
			errs = append(errs, fmt.Errorf("--on %v: %w%s", rule, err, advice))
		}
	}
	return errors.Join(errs...)
}

// describeLater makes known what an action adds: cards that are not described, and
// connectors.
func (r *runner) describeLater() {
	type placed struct {
		*aim.Action
		card string // "": that of the event
	}
	var actions []placed
	for i := range r.At {
		actions = append(actions, placed{&r.At[i].Action, r.At[i].Card})
	}
	for _, rule := range r.On {
		if rule.Action != nil {
			actions = append(actions, placed{rule.Action, cmp.Or(rule.Action.Card, rule.Card)})
		}
	}
	for _, a := range actions {
		if a.Kind.Name == "plug" && a.card != "" {
			_, _ = r.machine.Card(a.card) // Check has its error
		}
	}
	for _, a := range actions {
		added := a.AddedConnectors()
		for _, c := range r.machine.Cards() {
			if added != "" && (a.card == "" || a.card == c.Label()) {
				c.ExpectConnectors(added)
			}
		}
	}
}

// moreCards returns advice for a card that does not exist.
func (r *runner) moreCards(label string) string {
	if label == "" {
		return ""
	}
	if _, err := r.machine.KnownCard(label); err == nil {
		return ""
	}
	if r.Config != "" {
		return "; describe it in " + string(r.Config)
	}
	return fmt.Sprintf("; make more cards with --cards, or plug it in with --at TIME:plug=%s", label)
}

// startActions starts the actions of --at, each in a goroutine of its own: none
// of them delays another. stop waits for those that are under way.
func (r *runner) startActions() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	start := time.Now()
	var running sync.WaitGroup
	for i := range r.At {
		a := &r.At[i]
		running.Go(func() {
			select {
			case <-time.After(time.Until(start.Add(a.after))):
			case <-ctx.Done():
				r.report.happened("--at " + a.String())
				r.fail(a, fmt.Errorf("not done: the program ended after %v", time.Since(start).Round(time.Millisecond)))
				return
			}
			begin := time.Now()
			r.report.happened("--at "+a.String(), begin)
			if err := a.Do(context.Background(), r.machine, nil); err != nil {
				r.fail(a, err)
				return
			}
			r.log.Info(fmt.Sprintf("%v: done in %v", a, time.Since(begin).Round(time.Microsecond)))
		})
	}
	return func() {
		cancel()
		running.Wait()
	}
}

// fail reports that an action failed, or that its time or event never came.
func (r *runner) fail(what fmt.Stringer, err error) {
	r.report.failed(what.String(), err)
	r.log.Error(fmt.Sprintf("%v: %v", what, err))
	r.count()
}

// count counts a failure.
func (r *runner) count() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures++
}

func (r *runner) failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failures > 0
}
