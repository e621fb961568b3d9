package config

import (
	"regexp"
	"sync"
)

// compiled returns a function that returns a regular expression. It is compiled
// when it is first used, as most runs use none.
func compiled(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}
