package conformance

import (
	"slices"
	"strings"
	"testing"
)

// An Option changes what [Run] does.
type Option func(*options)

type options struct {
	only    []string
	differs map[string]string // reasons, by the name of the case
}

// Only makes Run run the named cases. The first words of a case's name stand
// for all cases that begin with them: "flip" for "flip/event" and so on.
func Only(names ...string) Option {
	return func(o *options) { o.only = append(o.only, names...) }
}

// Differs declares that the device fails the named case, and why. Run expects
// the case to fail then, and reports a failure if it passes.
func Differs(name, reason string) Option {
	return func(o *options) { o.differs[name] = reason }
}

// newOptions applies the options. A name that no case has ends the test.
func newOptions(t *testing.T, list []Option) *options {
	t.Helper()
	o := &options{differs: make(map[string]string)}
	for _, option := range list {
		option(o)
	}
	for _, name := range o.only {
		if !slices.ContainsFunc(Cases(), func(c Case) bool { return matches(name, c.Name) }) {
			t.Fatalf("Only: no case %q", name)
		}
	}
	for name := range o.differs {
		if !slices.ContainsFunc(Cases(), func(c Case) bool { return c.Name == name }) {
			t.Fatalf("Differs: no case %q", name)
		}
	}
	return o
}

// cases returns the cases to run.
func (o *options) cases() []Case {
	if o.only == nil {
		return Cases()
	}
	return slices.DeleteFunc(Cases(), func(c Case) bool {
		return !slices.ContainsFunc(o.only, func(name string) bool { return matches(name, c.Name) })
	})
}

// matches reports whether pattern is the name, or its first words.
func matches(pattern, name string) bool {
	rest, ok := strings.CutPrefix(name, pattern)
	return ok && (rest == "" || rest[0] == '/')
}
