package udrmcmd

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// wordings are the messages of the parser, and what the command says instead.
var wordings = []struct {
	parser string // a regular expression
	say    string
}{
	{`^expected one of ("run".*)$`, `there is no command`},
	{`^unexpected argument (\S+), did you mean (?:one of )?(.*)\?$`, `there is no command $1; did you mean $2?`},
	{`^unexpected argument (.*)$`, `the argument $1 is too much`},
	{`^expected "(<program>) \.\.\."$`, `there is no program to run`},
	{`^expected "(<[^>]*>)[^"]*"$`, `$1 is missing`},
	{`^(?:missing positional arguments|expected) (.*)$`, `$1 is missing`},
	{`^missing flags: (.*)$`, `a flag is missing: $1`},
	{`^(.*): expected an? (?:valid \d+ bit )?u?int but got "(\d{10,})"$`, `$1: $2 is too large`},
	{`^(.*): expected an? (?:valid \d+ bit )?(?:u?int|float) but got (".*")$`, `$1: $2 is not a number`},
	{`^(.*): expected duration but got (".*?").*$`, `$1: $2 is not a time; write it as in 1500ms or 2m`},
	{`^(\S+) must be one of (.*) but got (".*")$`, `$1: there is no $3; write one of $2`},
	{`^unknown flag (-[0-9]+)\b.*$`, `$1 is negative`},
	{`^(unknown flag \S+), did you mean (?:one of )?(.*)\?$`, `$1; did you mean $2?`},
}

// flagError matches errors of a flag, noValue that of a flag without the value
// that it needs, and negative that of a number below 0, which looks like a flag.
var (
	flagError = regexp.MustCompile(`^--([\w-]+): `)
	noValue   = regexp.MustCompile(`^--[\w-]+: expected \w+ value but got `)
	negative  = regexp.MustCompile(`^(--[\w-]+: )expected \w+ value but got "(-[0-9]\S*)".*$`)
)

// explainFlag returns an error of a flag with advice: how to write the flag. It
// names the environment variable instead of the flag if the value is from there.
func explainFlag(ctx *kong.Context, flag *kong.Flag, text string) string {
	switch {
	case negative.MatchString(text):
		text = negative.ReplaceAllString(text, "$1$2 is negative; write ") + flag.Summary()
	case noValue.MatchString(text):
		text = fmt.Sprintf("--%s has no value; write %s", flag.Name, flag.Summary())
	case !strings.Contains(text, "write ") && !strings.Contains(text, "did you mean") && !strings.Contains(text, "see \""):
		text += "; write " + flag.Summary()
	}
	given := slices.ContainsFunc(ctx.Path, func(p *kong.Path) bool { return p.Flag == flag })
	if reason, ok := strings.CutPrefix(text, "--"+flag.Name+": "); ok && !given && len(flag.Envs) > 0 {
		text = "$" + flag.Envs[0] + ": " + reason
	}
	return text
}

// explain returns an error of the parser as the command says it: what was
// refused, and how to write it.
func (a *app) explain(err error) error {
	var refused *kong.ParseError
	if !errors.As(err, &refused) {
		return err
	}
	text := err.Error()
	for _, w := range wordings {
		if parser := regexp.MustCompile(w.parser); parser.MatchString(text) {
			text = parser.ReplaceAllString(text, w.say)
			break
		}
	}
	text = strings.ReplaceAll(text, `","`, `", "`)
	text = strings.ReplaceAll(text, `see "help `, `see "`+a.Name+` help `) // of a flag, which does not know the name
	node := refused.Context.Selected()
	if named := flagError.FindStringSubmatch(text); named != nil && node != nil {
		if i := slices.IndexFunc(node.Flags, func(f *kong.Flag) bool { return f.Name == named[1] }); i >= 0 {
			text = explainFlag(refused.Context, node.Flags[i], text)
		}
	}
	switch {
	case strings.Contains(text, "see \""): // it has advice
		return errors.New(text)
	case node != nil && (strings.Contains(text, "write ") || strings.Contains(text, "did you mean")):
		return fmt.Errorf("%s; see \"%s help %s\"", text, a.Name, node.Name)
	case node == nil:
		if argument, ok := strings.CutSuffix(text, " is too much"); ok {
			text = "there is no command " + strings.TrimPrefix(argument, "the argument ")
		}
		return fmt.Errorf("%s; write %s COMMAND, such as %s run -- PROGRAM; see \"%s help\"", text, a.Name, a.Name, a.Name)
	}
	return fmt.Errorf("%s; write %s %s %s; see \"%s help %s\"", text, a.Name, node.Name, synopsis(node), a.Name, node.Name)
}

// synopsis returns the arguments of a command.
func synopsis(node *kong.Node) string {
	words := []string{"[FLAGS]"}
	for _, arg := range node.Positional {
		if namesProgram(arg) {
			words = append(words, "[--]")
		}
		words = append(words, arg.Summary())
	}
	return strings.Join(words, " ")
}

// printHelp prints the help of a command. The parser would write the flags behind
// the program, to which they would belong there.
func (a *app) printHelp(options kong.HelpOptions, ctx *kong.Context) error {
	if node := ctx.Selected(); node != nil {
		if _, err := fmt.Fprintf(ctx.Stdout, "Usage: %s %s %s\n", a.Name, node.Name, synopsis(node)); err != nil {
			return err
		}
		options.NoAppSummary = true
	}
	return kong.DefaultHelpPrinter(options, ctx)
}
