package host

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestParseSynthetic(t *testing.T) {
	const id = "12345678-1234-1234-1234-123456789abc"
	for text, want := range map[string]string{
		"change":                  "change SYNTH_UUID=0",
		"add\n":                   "add SYNTH_UUID=0",
		"remove " + id + "\n":     "remove SYNTH_UUID=" + id,
		"bind " + id + " A=1 b=2": "bind SYNTH_UUID=" + id + " SYNTH_ARG_A=1 SYNTH_ARG_b=2",
		"":                        "",
		"garbage":                 "",
		"changed":                 "",
		"change ":                 "",
		"change 1234":             "",
		"change " + id + " A":     "",
		"change " + id + " =1":    "",
		"change " + id + " A=1 ":  "",
		"change " + id + " A=-":   "",
		"change " + id[1:] + "-":  "",
	} {
		action, env, err := parseSynthetic(text)
		got := strings.Join(append([]string{action}, env...), " ")
		if got != want || (want == "") != errors.Is(err, unix.EINVAL) {
			t.Errorf("%q: got %q, %v; want %q", text, got, err, want)
		}
	}
}
