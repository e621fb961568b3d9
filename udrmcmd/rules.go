package udrmcmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/udrm/udrm/control"
	"github.com/udrm/udrm/machine/aim"
)

// onCmd adds, lists, awaits and removes rules.
type onCmd struct {
	machineFlag
	Rule    string        `arg:"" help:"A rule as in --on of run, whose id is printed. Or list, which prints the rules; remove ID, which removes one; wait ID, which waits until one has fired."`
	ID      string        `arg:"" optional:"" help:"The rule to remove or to wait for."`
	Timeout time.Duration `placeholder:"TIME" default:"10s" help:"With wait: how long to wait; default: ${default}."`
	JSON    bool          `name:"json" help:"Print JSON, as docs/control.openapi.yaml describes it."`
}

// Run does what the first argument says.
func (cmd *onCmd) Run(a *app) error {
	id, err := strconv.Atoi(cmd.ID)
	switch takes := cmd.Rule == "remove" || cmd.Rule == "wait"; {
	case takes && (cmd.ID == "" || err != nil):
		return fmt.Errorf("on %s takes the id of a rule; %s on list shows the rules", cmd.Rule, a.Name)
	case !takes && cmd.ID != "":
		return fmt.Errorf("%q is too much: on takes one rule, or list, remove ID or wait ID", cmd.ID)
	}
	return cmd.steer(a, func(ctx context.Context, c *control.Client) error {
		var rule *control.Rule
		var err error
		switch cmd.Rule {
		case "list":
			rules, err := c.Rules(ctx)
			if err != nil {
				return err
			}
			return cmd.list(a, rules)
		case "remove":
			rule, err = c.RemoveRule(ctx, id)
		case "wait":
			rule, err = c.WaitRule(ctx, id, control.RuleWaitRequest{Timeout: cmd.Timeout.String()})
		default:
			return addRule(ctx, a, c, cmd.Rule, cmd.JSON)
		}
		if err == nil && cmd.JSON {
			err = json.NewEncoder(a.stdout).Encode(rule)
		}
		return err
	})
}

// addRule adds a rule and prints its id.
func addRule(ctx context.Context, a *app, c *control.Client, text string, asJSON bool) error {
	text, err := wholePath(text)
	if err != nil {
		return err
	}
	rule, err := c.AddRule(ctx, text)
	if err == nil && asJSON {
		return json.NewEncoder(a.stdout).Encode(rule)
	} else if err == nil {
		_, err = fmt.Fprintln(a.stdout, rule.ID)
	}
	return err
}

// wholePath returns a rule with the whole path of its file: the machine may be in
// another directory.
func wholePath(text string) (string, error) {
	rule, err := aim.Parse(text)
	if err != nil || rule.Action == nil || rule.Action.Kind.Name != "screenshot" {
		return text, nil // the machine answers what is wrong with it
	}
	before, ok := strings.CutSuffix(text, rule.Action.Argument)
	if !ok {
		return text, nil
	}
	file, err := filepath.Abs(rule.Action.Argument)
	return before + file, err
}

// list prints the rules.
func (cmd *onCmd) list(a *app, rules []control.Rule) error {
	if cmd.JSON {
		return json.NewEncoder(a.stdout).Encode(rules)
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tFIRED\tRULE\tERROR")
	for _, r := range rules {
		fmt.Fprintf(w, "%d\t%d\t%s\t%s\n", r.ID, r.Fired, r.Rule, r.Error)
	}
	return w.Flush()
}

// faultCmd adds a rule whose effect is a fault.
type faultCmd struct {
	machineFlag
	Event   string `arg:"" name:"event[#when]" help:"The requests or events, such as ADDFB2#3 or event#3, with any filters: as in --on of run."`
	Fault   string `arg:"" help:"The error to answer with, such as ENOSPC, the time to wait, such as 20ms, or another effect of --on, such as lost, doubled, short=8 or retval=0."`
	Times   int    `placeholder:"N" help:"Let only the next N requests fail; default: the one that #WHEN selects, or all."`
	Card    string `placeholder:"CARD" help:"Only requests to this card."`
	Program string `placeholder:"NAME" help:"Only requests of programs of this name."`
	Point   string `placeholder:"POINT" enum:",before,entered,handled,after" default:"" help:"The moment of the request: before, entered, handled or after; default: entered. See \"${name} help on\"."`
	JSON    bool   `name:"json" help:"Print JSON, as docs/control.openapi.yaml describes it."`
}

// Run adds the rule.
func (cmd *faultCmd) Run(a *app) error {
	rule, err := cmd.rule()
	if err != nil {
		return err
	}
	return cmd.steer(a, func(ctx context.Context, c *control.Client) error {
		return addRule(ctx, a, c, rule, cmd.JSON)
	})
}

// errnoWord matches what looks like the name of an error.
var errnoWord = regexp.MustCompile(`^E[A-Z0-9]+$`)

// rule returns the rule, as it is written after --on.
func (cmd *faultCmd) rule() (string, error) {
	text := cmd.Event
	if cmd.Times < 0 {
		return "", errors.New("--times is a number of requests")
	}
	if cmd.Times > 0 {
		text += fmt.Sprintf(":when=1..%d", cmd.Times)
	}
	if cmd.Point != "" {
		text += ":" + cmd.Point
	}
	if cmd.Card != "" {
		text += ":card=" + cmd.Card
	}
	if cmd.Program != "" {
		text += ":comm=" + cmd.Program
	}
	_, notTime := time.ParseDuration(cmd.Fault)
	_, notNumber := strconv.ParseUint(cmd.Fault, 10, 32) // of microseconds, as of delay=
	switch {
	case notTime == nil, notNumber == nil:
		text += ":delay=" + cmd.Fault
	case errnoWord.MatchString(cmd.Fault):
		text += ":error=" + cmd.Fault
	default:
		text += ":" + cmd.Fault
	}
	_, err := aim.Parse(text)
	return text, err
}
