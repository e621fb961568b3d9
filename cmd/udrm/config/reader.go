package config

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// An Error is what is wrong with a line of a file.
type Error struct {
	File   string
	Line   int    // 0 for a file with one value, or a directory
	Path   string // to what is wrong, such as "cards/desk/count"; "" for the file as a whole
	Reason string // what is wrong, and what to do
}

func (e *Error) Error() string {
	switch {
	case e.Line == 0:
		return fmt.Sprintf("%s: %s", e.File, e.Reason)
	case e.Path == "":
		return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Reason)
	}
	return fmt.Sprintf("%s:%d: %s: %s", e.File, e.Line, e.Path, e.Reason)
}

// A reader collects the errors of a file while its parts are read. What is
// wrong reads as nothing.
type reader struct {
	file string
	dir  string // where its files are
	errs []*Error

	places map[*yaml.Node]string // the files of values, when there are many
}

// failure returns all errors, in the order of the file.
func (r *reader) failure() error {
	slices.SortStableFunc(r.errs, func(a, b *Error) int { return cmp.Compare(a.Line, b.Line) })
	var errs []error
	for _, err := range r.errs {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (r *reader) fail(n *yaml.Node, path, format string, args ...any) {
	file := cmp.Or(r.places[n], r.file)
	r.errs = append(r.errs, &Error{File: file, Line: n.Line, Path: path, Reason: fmt.Sprintf(format, args...)})
}

// An entry is one of a mapping.
type entry struct {
	name       string
	path       string
	key, value *yaml.Node
}

// entries returns the entries of a mapping, each name once. An empty value has
// none, as an empty directory.
func (r *reader) entries(n *yaml.Node, path string) (list []entry) {
	n = resolved(n)
	if n.Tag == "!!null" {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		r.fail(n, path, "%s stands where entries are due: write \"NAME: …\"", describe(n))
		return nil
	}
	first := make(map[string]*yaml.Node)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := resolved(n.Content[i]), n.Content[i+1]
		if key.Kind != yaml.ScalarNode || key.Value == "" || strings.ContainsAny(key.Value, "/\n") {
			r.fail(n.Content[i], path, "%s is no name: write some word", describe(key))
			continue
		}
		e := entry{name: key.Value, path: strings.TrimPrefix(path+"/"+key.Value, "/"), key: n.Content[i], value: value}
		if first[e.name] != nil {
			r.fail(e.key, e.path, "it is there twice, first in line %d: remove one", first[e.name].Line)
			continue
		}
		first[e.name] = e.key
		list = append(list, e)
	}
	return list
}

// fields are the attributes that a mapping may have, with what reads each.
type fields map[string]func(n *yaml.Node, path string)

// mapping reads the attributes of a mapping, in the order of the file.
func (r *reader) mapping(n *yaml.Node, path string, f fields) {
	for _, e := range r.entries(n, path) {
		read := f[e.name]
		if read == nil {
			r.fail(e.key, e.path, "there is no such attribute; %s", suggest(e.name, slices.Sorted(maps.Keys(f))))
			continue
		}
		read(e.value, e.path)
	}
}

// items returns the words of a list.
func (r *reader) items(n *yaml.Node, path string) (list []*yaml.Node) {
	n = resolved(n)
	if n.Kind != yaml.SequenceNode {
		r.fail(n, path, "%s stands where a list is due: write [A, B]", describe(n))
		return nil
	}
	for _, item := range n.Content {
		if item = resolved(item); item.Kind != yaml.ScalarNode {
			r.fail(item, path, "%s stands where a word is due", describe(item))
			continue
		}
		list = append(list, item)
	}
	return list
}

// scalar returns the text of a value.
func (r *reader) scalar(n *yaml.Node, path string) (text string, ok bool) {
	v := resolved(n)
	if v.Kind != yaml.ScalarNode || v.Tag == "!!null" {
		r.fail(n, path, "%s stands where a value is due", describe(v))
		return "", false
	}
	return v.Value, true
}

func (r *reader) bool(n *yaml.Node, path string, b *bool) {
	choose(r, n, path, b, choices[bool]{{"0", false}, {"1", true}, {"false", false}, {"true", true}})
}

func (r *reader) int(n *yaml.Node, path string, i *int, low, high int) {
	text, ok := r.scalar(n, path)
	if !ok {
		return
	}
	v, err := strconv.Atoi(text)
	if err != nil || v < low || v > high {
		r.fail(n, path, "%q: it takes a number from %d to %d", text, low, high)
		return
	}
	*i = v
}

// choices are words, each with what it means.
type choices[T any] []struct {
	word  string
	value T
}

func (c choices[T]) words() (words []string) {
	for _, choice := range c {
		words = append(words, choice.word)
	}
	return words
}

func choose[T any](r *reader, n *yaml.Node, path string, v *T, c choices[T]) {
	text, ok := r.scalar(n, path)
	if !ok {
		return
	}
	for _, choice := range c {
		if choice.word == text {
			*v = choice.value
			return
		}
	}
	r.fail(n, path, "%q is none of its values; %s", text, suggest(text, c.words()))
}

// resolved follows an alias.
func resolved(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func describe(n *yaml.Node) string {
	switch {
	case n.Tag == "!!null":
		return "nothing"
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	}
	return strconv.Quote(n.Value)
}

// suggest names the word that was meant, if one is near, or else all.
func suggest(word string, words []string) string {
	best, distance := "", len(word)/2+1
	for _, w := range words {
		if d := editDistance(strings.ToLower(word), strings.ToLower(w)); d < distance {
			best, distance = w, d
		}
	}
	if best != "" {
		return "did you mean " + best + "?"
	}
	switch len(words) {
	case 0:
		return "there is none"
	case 1:
		return "there is " + words[0]
	}
	return "there are " + strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

// editDistance is how many characters are to be added, removed or replaced to
// get from one word to the other (Levenshtein).
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
