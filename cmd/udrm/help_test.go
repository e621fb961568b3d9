package main

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// TestGenerated checks that the man page and the completions in docs are up to
// date. "go generate ./cmd/udrm" writes them.
func TestGenerated(t *testing.T) {
	for file, args := range map[string][]string{
		"udrm.1":                {"man"},
		"completions/udrm.bash": {"completion", "bash"},
		"completions/_udrm":     {"completion", "zsh"},
		"completions/udrm.fish": {"completion", "fish"},
	} {
		want, err := os.ReadFile("../../docs/" + file)
		if err != nil {
			t.Error(err)
			continue
		}
		r := run(t, append([]string{"help"}, args...)...)
		if r.exit != 0 || r.stdout != string(want) {
			t.Errorf("docs/%s is not up to date: run go generate ./cmd/udrm\n%s", file, r.stderr)
		}
	}
}

// TestHelp prints each topic, and the help of each command.
func TestHelp(t *testing.T) {
	for topic, want := range map[string]string{
		"":            "Topics of \"udrm help TOPIC\":",
		"run":         "--at=TIME:ACTION=CARD",
		"doctor":      "Usage: udrm doctor",
		"config":      "possible_crtcs",
		"at":          "screenshot=CARD[:CONNECTOR]=FILE.png",
		"environment": "WLR_RENDERER=pixman",
		"exit-status": "127     the program was not found",
		"exit status": "127     the program was not found",
		"signals":     "SIGTSTP",
		"leftovers":   "kill:TIME",
		"trace show":  "Usage: udrm trace",

		"--expect":        "stale", // of the topic report
		"expect":          "--expect=RULE, a flag of udrm run, udrm shrink:",
		"--expect=frames": "--expect=RULE, a flag of udrm run, udrm shrink:",
		"--lenient":       "Keep the exit status",
		"--tolerance":     "a flag of udrm compare:",
		"-v":              "--verbose",
	} {
		r := run(t, append([]string{"help"}, strings.Fields(topic)...)...)
		if r.exit != 0 || !strings.Contains(r.stdout, want) || strings.Contains(r.stdout, "{{") || strings.Contains(r.stdout, "${") {
			t.Errorf("help %s: exit %d\n%s%s", topic, r.exit, r.stdout, r.stderr)
		}
		for line := range strings.Lines(r.stdout) {
			if len([]rune(line)) > 81 && topic != "config" { // whose examples are wider
				t.Errorf("help %s: a line of more than 80 columns:\n%s", topic, line)
			}
		}
	}
	if r := run(t, "help", "nonsense"); r.exit != 125 || !strings.HasPrefix(r.stderr, `udrm: there is no help on "nonsense"; topics are the commands, their flags, and config, at,`) {
		t.Errorf("exit %d\n%s", r.exit, r.stderr)
	}
	if r := run(t, "help", "no-leaks"); r.exit != 125 || r.stderr != "udrm: there is no help on \"no-leaks\", but the help on report has it; write udrm help report\n" {
		t.Errorf("exit %d\n%s", r.exit, r.stderr)
	}
	if r := run(t, "help", "completion", "tcsh"); r.exit != 125 || !strings.Contains(r.stderr, "write udrm help completion bash, zsh or fish") {
		t.Errorf("exit %d\n%s", r.exit, r.stderr)
	}
}

// TestVersion prints the version.
func TestVersion(t *testing.T) {
	r := run(t, "--version")
	if r.exit != 0 || !regexp.MustCompile(`^udrm \S+.*, go\S+ linux/amd64\n$`).MatchString(r.stdout) {
		t.Errorf("exit %d\n%s%s", r.exit, r.stdout, r.stderr)
	}
}

// TestCompletion completes words in bash.
func TestCompletion(t *testing.T) {
	for line, want := range map[string]string{
		"udrm ru":                    "run",
		"udrm run --leni":            "--lenient",
		"udrm run --driver v":        "vkms vgem",
		"udrm help exit":             "exit-status",
		"udrm run -- modetes":        "modetest",
		"udrm run --no-c":            "--no-cursor",
		"udrm run --config /etc/pas": "/etc/passwd /etc/passwd-",
	} {
		out, err := exec.Command("bash", "-c", `source ../../docs/completions/udrm.bash
			COMP_WORDS=($1) COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _udrm; printf '%s\n' "${COMPREPLY[@]}" | sort -u | tr '\n' ' '`, "bash", line).CombinedOutput()
		got := strings.Fields(string(out))
		for _, word := range strings.Fields(want) {
			if err != nil || !strings.Contains(" "+strings.Join(got, " ")+" ", " "+word+" ") {
				t.Errorf("%q completes to %q, want %q: %v", line, got, want, err)
			}
		}
	}
}
