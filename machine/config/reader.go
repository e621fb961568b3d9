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

	"github.com/udrm/udrm/internal/misspelt"
)

// An Error describes a mistake in a file.
type Error struct {
	File   string
	Line   int    // 0 for a file with one value, or a directory
	Path   string // of the attribute, such as "cards/desk/count"; "" for the whole file
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

// A reader reads the parts of a file and collects its errors. A wrong part
// reads as an empty one.
type reader struct {
	file string
	dir  string // the directory of its EDID files
	errs []*Error

	drivers []Driver // besides vkms and vgem

	places map[*yaml.Node]string // the file of each value of a directory
}

// failure returns all errors, in the order of their lines.
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

// An entry is an entry of a mapping.
type entry struct {
	name       string
	path       string
	key, value *yaml.Node
}

// entries returns the entries of a mapping, each name once, and those of the
// mappings that it merges ("<<: *NAME"). An empty value is an empty mapping, as an
// empty directory is.
func (r *reader) entries(n *yaml.Node, path string) (list []entry) {
	n = resolved(n)
	if n.Tag == "!!null" {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		r.fail(n, path, "expected a mapping, found %s; write \"NAME: …\"", describe(n))
		return nil
	}
	first := make(map[string]*yaml.Node)
	var merges []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := resolved(n.Content[i]), n.Content[i+1]
		if key.Tag == mergeTag {
			merges = append(merges, value)
			continue
		}
		if key.Kind != yaml.ScalarNode || key.Value == "" || strings.ContainsAny(key.Value, "/\n") {
			r.fail(n.Content[i], path, "%s is not a name; use a word", describe(key))
			continue
		}
		e := entry{name: key.Value, path: strings.TrimPrefix(path+"/"+key.Value, "/"), key: n.Content[i], value: value}
		if first[e.name] != nil {
			r.fail(e.key, e.path, "given twice (first in line %d); remove one", first[e.name].Line)
			continue
		}
		first[e.name] = e.key
		list = append(list, e)
	}
	for _, merged := range merges {
		list = r.merge(list, merged, path, map[*yaml.Node]bool{n: true})
	}
	return list
}

// mergeTag is the tag of the key "<<".
const mergeTag = "!!merge"

// merge adds the entries of a mapping, or of a list of them, whose names are not
// in the list. seen are the mappings that are in it.
func (r *reader) merge(list []entry, n *yaml.Node, path string, seen map[*yaml.Node]bool) []entry {
	n = resolved(n)
	switch {
	case seen[n]:
	case n.Kind == yaml.SequenceNode:
		seen[n] = true
		for _, item := range n.Content {
			list = r.merge(list, item, path, seen)
		}
	case n.Kind == yaml.MappingNode:
		seen[n] = true
		var merges []*yaml.Node
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := resolved(n.Content[i]), n.Content[i+1]
			name := key.Value
			switch {
			case key.Tag == mergeTag:
				merges = append(merges, value)
			case !slices.ContainsFunc(list, func(e entry) bool { return e.name == name }):
				list = append(list, entry{name: name, path: strings.TrimPrefix(path+"/"+name, "/"), key: n.Content[i], value: value})
			}
		}
		for _, merged := range merges {
			list = r.merge(list, merged, path, seen)
		}
	default:
		r.fail(n, path+"/<<", "expected a mapping, found %s; write \"<<: *NAME\"", describe(n))
	}
	return list
}

// fields maps the attributes of a mapping to their readers.
type fields map[string]func(n *yaml.Node, path string)

// mapping reads the attributes of a mapping, in the order of the file.
func (r *reader) mapping(n *yaml.Node, path string, f fields) {
	for _, e := range r.entries(n, path) {
		read := f[e.name]
		if read == nil {
			r.fail(e.key, e.path, "unknown attribute; %s", suggest(e.name, slices.Sorted(maps.Keys(f))))
			continue
		}
		read(e.value, e.path)
	}
}

// items returns the words of a list.
func (r *reader) items(n *yaml.Node, path string) (list []*yaml.Node) {
	n = resolved(n)
	if n.Kind != yaml.SequenceNode {
		r.fail(n, path, "expected a list, found %s; write [A, B]", describe(n))
		return nil
	}
	for _, item := range n.Content {
		if item = resolved(item); item.Kind != yaml.ScalarNode {
			r.fail(item, path, "expected a word, found %s", describe(item))
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
		r.fail(n, path, "expected a value, found %s", describe(v))
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
		r.fail(n, path, "%q is not a number from %d to %d", text, low, high)
		return
	}
	*i = v
}

// choices are the values of an attribute.
type choices[T any] []choice[T]

type choice[T any] struct {
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
	r.fail(n, path, "%q is not a valid value; %s", text, suggest(text, c.words()))
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

// suggest proposes the word closest to a misspelt one, or else all words.
func suggest(word string, words []string) string {
	if nearest := misspelt.Nearest(word, words); nearest != "" {
		return "did you mean " + nearest + "?"
	}
	switch len(words) {
	case 0:
		return "none are defined"
	case 1:
		return "write " + words[0]
	}
	return "write " + strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}
