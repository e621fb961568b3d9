package udrmcmd

import (
	"embed"
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/udrm/udrm/machine/aim"
	"github.com/udrm/udrm/machine/config"
	"github.com/udrm/udrm/trace"
)

// helpCmd prints help on a command or a topic.
type helpCmd struct {
	Topic []string `arg:"" optional:"" passthrough:"all" help:"A command, a topic or a flag."`
}

//go:embed topics/*.txt
var topicFiles embed.FS

// A topic is a topic of the command help.
type topic struct {
	name, summary string
	text          func(a *app) string
}

// topics returns all topics in the order in which they are listed.
func topics() []topic {
	return []topic{
		{"config", "the format of the files of --config", func(*app) string { return config.Format() }},
		{"at", "the actions of --at", (*app).atTopic},
		{"on", "the events and effects of --on", (*app).onTopic},
		{"clock", "what makes vblanks happen", fileTopic("clock")},
		{"storm", "random hot-plugs and faults, and how to shrink them", fileTopic("storm")},
		{"report", "the files of --report and the rules of --expect", fileTopic("report")},
		{"cards", "cards that look like given hardware", fileTopic("cards")},
		{"control", "how to steer a running machine", fileTopic("control")},
		{"seat", "a seat for compositors, and how to pause it", fileTopic("seat")},
		{"trace-format", "the format of the files of --trace", func(*app) string { return trace.Format() }},
		{"environment", "environment variables", fileTopic("environment")},
		{"exit-status", "exit statuses", fileTopic("exit-status")},
		{"signals", "signals", fileTopic("signals")},
		{"leftovers", "processes that a program leaves behind", fileTopic("leftovers")},
		{"man", "the man page, as troff source", (*app).manPage},
		{"completion", "shell completions: completion bash, zsh or fish", nil},
	}
}

func topicNames() (names []string) {
	for _, t := range topics() {
		names = append(names, t.name)
	}
	return names
}

// fileTopic returns the text of a topic that is in a file.
func fileTopic(name string) func(a *app) string {
	return func(a *app) string {
		text, err := topicFiles.ReadFile(path.Join("topics", name+".txt"))
		if err != nil {
			panic(err) // the file is missing in the repository
		}
		return strings.ReplaceAll(string(text), "{{name}}", a.Name)
	}
}

// atTopic returns the help on --at, with the table of actions.
func (a *app) atTopic() string {
	var table strings.Builder
	for _, action := range aim.Actions() {
		fmt.Fprintf(&table, "    %s\n%s\n", action.Form, wrap(action.Help, "        ", 80))
	}
	return strings.Replace(fileTopic("at")(a), "{{actions}}", table.String(), 1)
}

// Run prints help.
func (cmd *helpCmd) Run(ctx *kong.Context, a *app) error {
	if len(cmd.Topic) == 0 {
		if err := a.usage(ctx, nil); err != nil {
			return err
		}
		fmt.Fprintf(a.stdout, "\nTopics of \"%s help TOPIC\":\n", a.Name)
		for _, t := range topics() {
			fmt.Fprintf(a.stdout, "  %-12s  %s\n", t.name, t.summary)
		}
		return nil
	}
	name := cmd.Topic[0]
	if name == "completion" {
		return a.printCompletion(ctx, cmd.Topic[1:])
	}
	for _, t := range topics() {
		// "help exit status" is what people type.
		if t.name == strings.Join(cmd.Topic, "-") {
			_, err := fmt.Fprint(a.stdout, t.text(a))
			return err
		}
	}
	for _, node := range ctx.Model.Children {
		if node.Name == name { // "help trace show" is help on trace
			return a.usage(ctx, []string{name})
		}
	}
	if a.printFlag(ctx, name) {
		return nil
	}
	what := strings.Join(cmd.Topic, " ")
	if in := a.topicsWith(what); len(in) > 0 {
		return fmt.Errorf("there is no help on %q, but the help on %s has it; write %s help %s", what, strings.Join(in, ", "), a.Name, in[0])
	}
	return fmt.Errorf("there is no help on %q; topics are the commands, their flags, and %s", what, strings.Join(topicNames(), ", "))
}

// printFlag prints the help on a flag, such as --expect=RULE or expect, of the
// commands that have it, and the topics that this refers to. It reports false if
// there is no such flag.
func (a *app) printFlag(ctx *kong.Context, word string) (found bool) {
	word, _, _ = strings.Cut(strings.TrimLeft(word, "-"), "=")
	var helps []string // of different flags of this name
	commands := make(map[string][]string)
	for _, node := range ctx.Model.Children {
		for _, flag := range node.Flags {
			if flag.Name != word && (flag.Short == 0 || string(flag.Short) != word) {
				continue
			}
			help := flag.Summary() + ", a flag of {{commands}}:\n" + wrap(flag.Help, "    ", 80) + "\n\n"
			if commands[help] == nil {
				helps = append(helps, help)
			}
			commands[help] = append(commands[help], a.Name+" "+node.Name)
		}
	}
	for _, help := range helps {
		fmt.Fprint(a.stdout, strings.Replace(help, "{{commands}}", strings.Join(commands[help], ", "), 1))
	}
	all := strings.Join(strings.Fields(strings.Join(helps, " ")), " ")
	for _, t := range topics() {
		if t.text != nil && strings.Contains(all, fmt.Sprintf("ee \"%s help %s\"", a.Name, t.name)) {
			fmt.Fprint(a.stdout, t.text(a))
		}
	}
	return len(helps) > 0
}

// topicsWith returns the topics whose text has a word.
func (a *app) topicsWith(word string) (names []string) {
	whole := regexp.MustCompile(`(?i)(^|[^\w-])` + regexp.QuoteMeta(word) + `($|[^\w-])`)
	for _, t := range topics() {
		if t.text != nil && t.name != "man" && whole.MatchString(t.text(a)) {
			names = append(names, t.name)
		}
	}
	return names
}

// usage prints the usage of the command, or of one of its commands.
func (a *app) usage(ctx *kong.Context, command []string) error {
	traced, err := kong.Trace(ctx.Kong, command)
	if err != nil {
		return err
	}
	return traced.PrintUsage(false)
}

// wrap breaks a paragraph into lines of at most width columns, each with the
// indentation.
func wrap(text, indent string, width int) string {
	var out strings.Builder
	line := indent
	for word := range strings.FieldsSeq(text) {
		if len(line)+1+len(word) > width && line != indent {
			out.WriteString(line + "\n")
			line = indent
		}
		if line != indent {
			line += " "
		}
		line += word
	}
	out.WriteString(line)
	return out.String()
}
