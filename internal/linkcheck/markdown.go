package main

import (
	"fmt"
	"os"
	"path"
	"regexp"
	"strings"
	"unicode"
)

var (
	markdownLink    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	markdownHeading = regexp.MustCompile(`(?m)^#+ +(.*?)\s*$`)
	fencedCode      = regexp.MustCompile("(?ms)^```.*?^```")
)

// checkMarkdown returns the broken links of all Markdown files.
func checkMarkdown(files repository) (broken []string, err error) {
	for name := range files {
		if path.Ext(name) != ".md" {
			continue
		}
		text, err := readMarkdown(name)
		if err != nil {
			return nil, err
		}
		for _, link := range markdownLink.FindAllStringSubmatch(text, -1) {
			if why := checkLink(files, name, link[1]); why != "" {
				broken = append(broken, fmt.Sprintf("%s: link to %s: %s", name, link[1], why))
			}
		}
	}
	return broken, nil
}

// readMarkdown returns a Markdown file without its code blocks.
func readMarkdown(name string) (string, error) {
	text, err := os.ReadFile(name)
	return fencedCode.ReplaceAllString(string(text), ""), err
}

// checkLink says what is wrong with a link in the file from, "" for nothing.
func checkLink(files repository, from, link string) string {
	if strings.Contains(link, ":") { // https: and the like
		return ""
	}
	target, fragment, _ := strings.Cut(link, "#")
	name := from
	if target != "" {
		name = path.Join(path.Dir(from), target)
	}
	if !files.has(name) {
		return "no such file"
	}
	if fragment == "" {
		return ""
	}
	text, err := readMarkdown(name)
	if err != nil {
		return err.Error()
	}
	for _, heading := range markdownHeading.FindAllStringSubmatch(text, -1) {
		if anchor(heading[1]) == fragment {
			return ""
		}
	}
	return "no such heading"
}

// anchor returns the fragment by which GitHub links to a heading.
func anchor(heading string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(heading) {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
			b.WriteRune(r)
		case r == ' ':
			b.WriteByte('-')
		}
	}
	return b.String()
}
