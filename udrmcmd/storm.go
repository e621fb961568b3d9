package udrmcmd

import (
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/udrm/udrm/machine"
	"github.com/udrm/udrm/machine/aim"
	"github.com/udrm/udrm/machine/storm"
)

// A stormArg is the storm of --storm.
type stormArg struct{ storm.Spec }

// UnmarshalText parses "42:steps=20".
func (s *stormArg) UnmarshalText(text []byte) (err error) {
	s.Spec, err = storm.Parse(string(text))
	return err
}

// targets returns the cards of a machine for a storm. Writeback connectors have
// no monitor.
func targets(m *machine.Machine) (list []storm.Target) {
	for _, c := range m.Cards() {
		t := storm.Target{Card: c.Label()}
		for _, info := range c.ConnectorInfos() {
			t.Connectors = append(t.Connectors, info.Name)
		}
		list = append(list, t)
	}
	return list
}

// aimStorm aims the steps of --storm at the machine, and tells how to repeat the
// run. A step whose action fails, or whose request never comes, is no failure of
// the run, but a storm without any step that is done is one.
func (r *runner) aimStorm() error {
	if r.Storm == nil {
		return nil
	}
	steps := r.Storm.Steps(targets(r.machine))
	r.log.Warn(fmt.Sprintf("storm %v: the same run is: %s", r.Storm, r.repeat(steps)))
	var logger *slog.Logger
	if r.Verbose {
		logger = r.log
	}
	for _, step := range steps {
		rule, err := aim.Parse(step)
		var trigger *aim.Trigger
		if err == nil {
			trigger, err = aim.Attach(r.machine, rule, logger)
		}
		if err != nil {
			return fmt.Errorf("--storm %v: %w", r.Storm, err)
		}
		r.storm = append(r.storm, trigger)
	}
	return nil
}

// endStorm detaches the steps of --storm. It reports a storm of which nothing has
// happened: such a run would show nothing.
func (r *runner) endStorm() {
	done := false
	for _, t := range r.storm {
		done = t.Close() == nil || done
		r.report.happened(fmt.Sprintf("--storm %v: %v", r.Storm, t.Rule()), t.Times()...)
	}
	if r.storm == nil || done {
		return
	}
	err := fmt.Errorf("none of its %d steps happened: the program sends too few requests; write a smaller span, such as --storm %d:span=10", len(r.storm), r.Storm.Seed)
	r.report.happened("--storm " + r.Storm.String())
	r.report.failed(r.Storm.String(), err)
	r.log.Error(fmt.Sprintf("--storm %v: %v", r.Storm, err))
	r.count()
}

// stormArguments returns the arguments of run without the storm, the rules and
// --lenient, up to the program, and the program behind "--".
func stormArguments(ctx *kong.Context) (flags, program []string) {
	node := ctx.Selected()
	rest := ctx.Args[slices.Index(ctx.Args, node.Name)+1:]
	for len(rest) > 0 && strings.HasPrefix(rest[0], "-") && rest[0] != "--" {
		name, _, hasValue := strings.Cut(strings.TrimLeft(rest[0], "-"), "=")
		n := 1
		i := slices.IndexFunc(node.Flags, func(f *kong.Flag) bool {
			return f.Name == name || f.Short != 0 && string(f.Short) == name
		})
		if i >= 0 && !node.Flags[i].IsBool() && !hasValue {
			n = min(2, len(rest))
		}
		switch name {
		case "storm", "on", "lenient", "failing", "timeout":
		default:
			flags = append(flags, rest[:n]...)
		}
		rest = rest[n:]
	}
	if len(rest) > 0 && rest[0] == "--" {
		rest = rest[1:]
	}
	return flags, append([]string{"--"}, rest...)
}

// runWith returns the arguments of run that do the steps.
func runWith(ctx *kong.Context, steps []string) []string {
	flags, program := stormArguments(ctx)
	args := append([]string{"run", "--lenient"}, flags...)
	for _, step := range steps {
		args = append(args, "--on", step)
	}
	return append(args, program...)
}

// plainWord matches what a shell takes as it is.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// commandLine returns a command for a shell, in one line.
func commandLine(words ...string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		if quoted[i] = word; !plainWord.MatchString(word) {
			quoted[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}

// errNothing is the error of shrink without steps.
var errNothing = errors.New("there is nothing to shrink; give --storm SEED, or the --on rules of a run that fails")
