package udrmcmd

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

// shells maps the shells to the functions that make their completions.
var shells = map[string]func(a *app, commands []completions) string{
	"bash": (*app).bashCompletion,
	"zsh":  (*app).zshCompletion,
	"fish": (*app).fishCompletion,
}

// completions are the words that can follow a command.
type completions struct {
	command, help string
	flags         []flagCompletion
	words         []string // topics of help
	runs          bool     // a program and its arguments follow
}

// A flagCompletion is a flag of a command.
type flagCompletion struct {
	name, help string
	value      bool     // a value follows
	file       bool     // the value is a file
	values     []string // the possible values; nil: unknown
}

// completions returns what can follow each command, made from the model of the
// command line.
func (a *app) completions() (list []completions) {
	for _, node := range visible(a.parser().Model.Node) {
		c := completions{command: node.Name, help: node.Help}
		for _, flag := range node.Flags {
			f := flagCompletion{
				name: "--" + flag.Name, help: flag.Help, value: !flag.IsBool(), file: flag.FormatPlaceHolder() == "FILE",
			}
			if flag.Enum != "" {
				f.values = flag.EnumSlice()
			}
			c.flags = append(c.flags, f)
			if flag.Tag.Negatable != "" {
				f.name, f.help = "--no-"+flag.Name, "Not: "+flag.Help
				c.flags = append(c.flags, f)
			}
		}
		for _, arg := range node.Positional {
			c.runs = c.runs || namesProgram(arg)
			if arg.Enum != "" {
				c.words = arg.EnumSlice()
			}
		}
		if node.Name == "help" {
			c.words = topicNames()
			for _, other := range visible(a.parser().Model.Node) {
				c.words = append(c.words, other.Name)
			}
		}
		list = append(list, c)
	}
	return list
}

// namesProgram reports whether an argument is a program, and not just words that may
// look like flags.
func namesProgram(arg *kong.Positional) bool {
	return arg.PassthroughMode == kong.PassThroughModePartial
}

// printCompletion prints the completions for a shell.
func (a *app) printCompletion(_ *kong.Context, args []string) error {
	if len(args) == 1 && shells[args[0]] != nil {
		_, err := fmt.Fprint(a.stdout, shells[args[0]](a, a.completions()))
		return err
	}
	return fmt.Errorf("which shell? write %s help completion bash, zsh or fish", a.Name)
}

func commandNames(commands []completions) (names []string) {
	for _, c := range commands {
		names = append(names, c.command)
	}
	return names
}

func (c *completions) flagNames() (names []string) {
	for _, f := range c.flags {
		names = append(names, f.name)
	}
	return names
}

// function returns the name of the shell function of the command.
func (a *app) function() string {
	return "_" + strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, a.Name)
}

func (a *app) bashCompletion(commands []completions) string {
	var s strings.Builder
	fmt.Fprintf(&s, `# bash completion of %[1]s. Made by "%[1]s help completion bash".
%[2]s() {
	local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} i
	COMPREPLY=()
	if [ $COMP_CWORD = 1 ]; then
		COMPREPLY=($(compgen -W "%[3]s --help --version" -- "$word"))
		return
	fi
	case ${COMP_WORDS[1]} in
`, a.Name, a.function(), strings.Join(commandNames(commands), " "))
	for _, c := range commands {
		fmt.Fprintf(&s, "\t%s)\n", c.command)
		if c.runs {
			s.WriteString(`		for ((i = 2; i < COMP_CWORD; i++)); do
			if [ "${COMP_WORDS[i]}" = -- ]; then
				if [ $((i + 1)) = $COMP_CWORD ]; then COMPREPLY=($(compgen -c -- "$word")); else COMPREPLY=($(compgen -f -- "$word")); fi
				return
			fi
		done
`)
		}
		s.WriteString("\t\tcase $previous in\n")
		for _, f := range c.flags {
			switch {
			case f.values != nil:
				fmt.Fprintf(&s, "\t\t%s) COMPREPLY=($(compgen -W \"%s\" -- \"$word\")); return ;;\n", f.name, strings.Join(f.values, " "))
			case f.file:
				fmt.Fprintf(&s, "\t\t%s) COMPREPLY=($(compgen -f -- \"$word\")); return ;;\n", f.name)
			case f.value:
				fmt.Fprintf(&s, "\t\t%s) return ;;\n", f.name)
			}
		}
		s.WriteString("\t\tesac\n")
		fmt.Fprintf(&s, "\t\tCOMPREPLY=($(compgen -W \"%s\" -- \"$word\")) ;;\n", strings.Join(append(c.flagNames(), c.words...), " "))
	}
	fmt.Fprintf(&s, "\tesac\n}\ncomplete -F %s %s\n", a.function(), a.Name)
	return s.String()
}

func (a *app) zshCompletion(commands []completions) string {
	var s strings.Builder
	fmt.Fprintf(&s, `#compdef %[1]s
# zsh completion of %[1]s. Made by "%[1]s help completion zsh".
%[2]s() {
	local -a commands=(
`, a.Name, a.function())
	for _, c := range commands {
		fmt.Fprintf(&s, "\t\t%s\n", zshQuote(c.command+":"+firstSentence(c.help)))
	}
	s.WriteString("\t)\n\tif (( CURRENT == 2 )); then\n\t\t_describe command commands\n\t\treturn\n\tfi\n\tcase $words[2] in\n")
	for _, c := range commands {
		fmt.Fprintf(&s, "\t%s)\n\t\tshift words; (( CURRENT-- ))\n\t\t_arguments", c.command)
		for _, f := range c.flags {
			spec := fmt.Sprintf("*%s[%s]", f.name, strings.NewReplacer("[", `\[`, "]", `\]`).Replace(firstSentence(f.help)))
			if f.value {
				spec = strings.Replace(spec, "[", "=[", 1)
			}
			switch {
			case f.values != nil:
				spec += ":value:(" + strings.Join(f.values, " ") + ")"
			case f.file:
				spec += ":file:_files"
			case f.value:
				spec += ":value:"
			}
			fmt.Fprintf(&s, " \\\n\t\t\t%s", zshQuote(spec))
		}
		switch {
		case c.runs:
			fmt.Fprintf(&s, " \\\n\t\t\t%s", zshQuote("*::program:_normal"))
		case c.words != nil:
			fmt.Fprintf(&s, " \\\n\t\t\t%s", zshQuote("*:topic:("+strings.Join(c.words, " ")+")"))
		}
		s.WriteString(" ;;\n")
	}
	fmt.Fprintf(&s, "\tesac\n}\n%s \"$@\"\n", a.function())
	return s.String()
}

func (a *app) fishCompletion(commands []completions) string {
	var s strings.Builder
	fmt.Fprintf(&s, "# fish completion of %[1]s. Made by \"%[1]s help completion fish\".\n", a.Name)
	names := strings.Join(commandNames(commands), " ")
	fmt.Fprintf(&s, "complete -c %s -f -n \"not __fish_seen_subcommand_from %s\" -l version -d 'Print the version'\n", a.Name, names)
	for _, c := range commands {
		fmt.Fprintf(&s, "complete -c %s -f -n \"not __fish_seen_subcommand_from %s\" -a %s -d %s\n", a.Name, names, c.command, fishQuote(firstSentence(c.help)))
	}
	for _, c := range commands {
		on := fmt.Sprintf("complete -c %s -n \"__fish_seen_subcommand_from %s\"", a.Name, c.command)
		for _, f := range c.flags {
			fmt.Fprintf(&s, "%s -l %s", on, strings.TrimPrefix(f.name, "--"))
			switch {
			case f.values != nil:
				fmt.Fprintf(&s, " -x -a %s", fishQuote(strings.Join(f.values, " ")))
			case f.file:
				s.WriteString(" -r -F")
			case f.value:
				s.WriteString(" -x")
			}
			fmt.Fprintf(&s, " -d %s\n", fishQuote(firstSentence(f.help)))
		}
		if c.words != nil {
			fmt.Fprintf(&s, "%s -f -a %s\n", on, fishQuote(strings.Join(c.words, " ")))
		}
		if c.runs {
			fmt.Fprintf(&s, "%s -a '(__fish_complete_subcommand)'\n", on)
		}
	}
	return s.String()
}

// firstSentence returns the first sentence of a help text, without its period.
func firstSentence(help string) string {
	for _, end := range []string{". ", "; "} {
		help, _, _ = strings.Cut(help, end)
	}
	return strings.TrimSuffix(help, ".")
}

func zshQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func fishQuote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'"
}
