package udrmcmd

import (
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// manPage returns the man page of the command, in troff's man macros. It is
// made from the model of the command line and from the topics.
func (a *app) manPage() string {
	model := a.parser().Model
	var page strings.Builder
	name := strings.ToUpper(a.Name)
	fmt.Fprintf(&page, ".TH %s 1\n.SH NAME\n%s \\- %s\n", name, troff(a.Name), troff(lowerFirst(strings.TrimSuffix(a.Summary, "."))))
	page.WriteString(".SH SYNOPSIS\n")
	for _, node := range visible(model.Node) {
		fmt.Fprintf(&page, ".B %s %s\n%s\n.br\n", troff(a.Name), node.Name, troff(synopsis(node)))
	}
	page.WriteString(".SH COMMANDS\n")
	for _, node := range visible(model.Node) {
		fmt.Fprintf(&page, ".SS %s\n%s\n", node.Name, troff(node.Help))
		for _, flag := range node.Flags {
			if !flag.Hidden {
				fmt.Fprintf(&page, ".TP\n.B %s\n%s\n", troff(flagForm(flag)), troff(flag.Help))
			}
		}
	}
	page.WriteString(".SH OPTIONS\n")
	for _, flag := range model.Flags {
		fmt.Fprintf(&page, ".TP\n.B %s\n%s\n", troff(flagForm(flag)), troff(flag.Help))
	}
	for _, t := range topics() {
		if t.name == "man" || t.text == nil {
			continue
		}
		fmt.Fprintf(&page, ".SH %s\n.nf\n%s.fi\n", strings.ToUpper(strings.ReplaceAll(t.name, "-", " ")), troff(t.text(a)))
	}
	return page.String()
}

// visible returns the commands that the help shows.
func visible(node *kong.Node) []*kong.Node {
	return slices.DeleteFunc(slices.Clone(node.Children), func(n *kong.Node) bool { return n.Hidden })
}

// flagForm returns how a flag is written: "-v, --verbose" or "--cards=N".
func flagForm(flag *kong.Flag) string {
	form := "--" + flag.Name
	if flag.IsBool() && flag.Tag.Negatable != "" {
		form = "--[no-]" + flag.Name
	}
	if flag.Short != 0 {
		form = fmt.Sprintf("-%c, %s", flag.Short, form)
	}
	if !flag.IsBool() {
		form += "=" + flag.FormatPlaceHolder()
	}
	return form
}

// troff quotes text for troff.
func troff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, `-`, `\-`, `…`, `\[u2026]`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }
