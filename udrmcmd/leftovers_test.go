package udrmcmd

import (
	"testing"
	"time"
)

func TestLeftoversFlag(t *testing.T) {
	for text, want := range map[string]leftovers{
		"kill":     {"kill", 5 * time.Second},
		"kill:10s": {"kill", 10 * time.Second},
		"kill:0s":  {"kill", 0},
		"wait":     {"wait", 5 * time.Second},
		"report":   {"report", 5 * time.Second},
	} {
		var l leftovers
		if err := l.UnmarshalText([]byte(text)); err != nil || l != want {
			t.Errorf("%s: %+v, %v", text, l, err)
		}
	}
	for _, text := range []string{"", "keep", "kill:", "kill:-1s", "kill:soon", "wait:1s"} {
		if err := new(leftovers).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is a policy", text)
		}
	}
}
