package udrmcmd

import (
	"strings"
	"testing"
)

// TestWrongCommandLines checks what wrong command lines are answered with: what
// is wrong, and how to write it.
func TestWrongCommandLines(t *testing.T) {
	for line, want := range map[string]string{
		"":                           `there is no command; write udrm COMMAND, such as udrm run -- PROGRAM; see "udrm help"`,
		"rnu -- true":                `there is no command rnu; did you mean "run", "on"?; write udrm COMMAND, such as udrm run -- PROGRAM; see "udrm help"`,
		"completion":                 `there is no command completion; write udrm COMMAND, such as udrm run -- PROGRAM; see "udrm help"`,
		"run":                        `there is no program to run; write udrm run [FLAGS] [--] <program> ...; see "udrm help run"`,
		"run --cards":                `--cards has no value; write --cards=N; see "udrm help run"`,
		"run --cards -- true":        `--cards has no value; write --cards=N; see "udrm help run"`,
		"run --trace --overlay -- a": `--trace has no value; write --trace=FILE; see "udrm help run"`,
		"run --cards x -- true":      `--cards: "x" is not a number; write --cards=N; see "udrm help run"`,
		"run --vgem 99999999999999999999 -- true": `--vgem: 99999999999999999999 is too large; write --vgem=N; see "udrm help run"`,
		"run --config= -- true":                   `--config: the name of the file is empty; write --config=FILE; see "udrm help run"`,
		"run --name= -- true":                     `--name: the name of the machine is empty; write --name=NAME; see "udrm help run"`,
		"ls --machine=":                           `--machine: the name of the machine is empty; write --machine=NAME; see "udrm help ls"`,
		"run --crads 2 -- true":                   `unknown flag --crads; did you mean "--cards", "--crtcs"?; see "udrm help run"`,
		"run --clock slow -- a":                   `--clock: there is no "slow"; write one of "real", "step", "fast"; see "udrm help run"`,
		"run --driver nv -- true":                 `--driver: there is no "nv"; write one of "vkms", "vgem"; see "udrm help run"`,
		"run --expect exit=256 -- a":              `--expect: "exit=256": 256 is not an exit status: these are 0 to 255; see "udrm help report"`,
		"run --on frame#0:x -- true":              `--on: "frame#0:x": "0" is not a time to fire: write 3, 3+, 3..5 or 3+2; write EVENT[#WHEN][:POINT][:FILTER=…]:EFFECT, such as MODE_ATOMIC#3:unplug; see "udrm help on"`,
		"unplug":                                  `<card> is missing; write udrm unplug [FLAGS] <card>; see "udrm help unplug"`,
		"unplug card0 card1":                      `the argument card1 is too much; write udrm unplug [FLAGS] <card>; see "udrm help unplug"`,
		"wait card0":                              `a flag is missing: --frames=N or --lit or --matches=FILE; write udrm wait [FLAGS] <card[:connector]>; see "udrm help wait"`,
		"wait card0 --lit --timeout x":            `--timeout: "x" is not a time; write it as in 1500ms or 2m; see "udrm help wait"`,
		"wait card0 --lit --timeout -1s":          `--timeout: -1s is negative; write --timeout=TIME; see "udrm help wait"`,
		"clock step -1":                           `-1 is negative; write udrm clock [FLAGS] [<do>] [<steps>]; see "udrm help clock"`,
		"trace start":                             `trace start takes one file, not 0`,
		"clock step x":                            `[<steps>]: "x" is not a number; write udrm clock [FLAGS] [<do>] [<steps>]; see "udrm help clock"`,
		"trace shwo x":                            `<view>: there is no "shwo"; write one of "show", "chrome", "diff", "coverage", "stats", "start", "stop"; see "udrm help trace"`,
		"screenshot card0":                        `<file> is missing; write udrm screenshot [FLAGS] <card[:connector]> <file>; see "udrm help screenshot"`,
	} {
		if err := newApp(Options{}).run(strings.Fields(line)); err == nil || err.Error() != want {
			t.Errorf("udrm %s: %v\nwant %s", line, err, want)
		}
	}
}

// TestWrongEnvironment gives a flag a wrong value by its environment variable.
func TestWrongEnvironment(t *testing.T) {
	t.Setenv("UDRM_FILES", "x")
	for line, want := range map[string]string{
		"run -- true":           `$UDRM_FILES: there is no "x"; write one of "calls", "mounts", "auto"; see "udrm help run"`,
		"run --files=y -- true": `--files: there is no "y"; write one of "calls", "mounts", "auto"; see "udrm help run"`,
	} {
		if err := newApp(Options{}).run(strings.Fields(line)); err == nil || err.Error() != want {
			t.Errorf("udrm %s: %v\nwant %s", line, err, want)
		}
	}
}
