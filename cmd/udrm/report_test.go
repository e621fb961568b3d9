package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/udrm/udrm/machine/report"
)

// TestReport unplugs a card in the first modeset, and reads the report.
func TestReport(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, junit := filepath.Join(dir, "run.json"), filepath.Join(dir, "run.xml")
	r := run(t, "run", "--cards", "2", "--report", file, "--report", junit, "--on", "SETCRTC:handled:unplug", "--at", "1h:plug=card0",
		"--expect", "frames:card0>=1", "--expect", "unplugs:card0=1", "--expect", "no-leaks", "--expect", "frames:card1=1",
		"--expect", "errors:MODE_SETCRTC=0", "--", "modetest", "-M", "vkms", "-s", connector+":1024x768")
	if r.exit != 125 || !strings.Contains(r.stderr, "udrm: expected frames:card1=1, but frames:card1: 0\n") || strings.Count(r.stderr, "expected") != 1 {
		t.Errorf("exit status %d, want 125 and one failed rule\n%s", r.exit, r.stderr)
	}
	var got report.Report
	data, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(data, &got)
	}
	if err != nil {
		t.Fatalf("%v: %s", err, data)
	}
	if !got.Complete || got.Exit == nil || len(got.Cards) != 2 || got.Cards[0].State != "unplugged" || got.Cards[0].Connectors[0].Frames == 0 {
		t.Errorf("the cards: %s", data)
	}
	if len(got.Unplugs) != 1 || got.Unplugs[0].Card != "card0" || got.Unplugs[0].Drain < 0 || got.Unplugs[0].Total < got.Unplugs[0].Drain {
		t.Errorf("the unplugs: %+v", got.Unplugs)
	}
	if len(got.AfterUnplug) == 0 || len(got.Requests) == 0 {
		t.Errorf("the requests: %s", data)
	}
	for _, a := range got.Actions {
		if missed := strings.HasPrefix(a.Asked, "--at"); missed != (a.Error != "") || missed != (len(a.Happened) == 0) {
			t.Errorf("the action %+v", a)
		}
	}
	if len(got.Actions) != 2 || len(got.Expectations) != 5 {
		t.Errorf("the actions and rules: %s", data)
	}
	if data, err := os.ReadFile(junit); err != nil || !strings.Contains(string(data), `failures="2"`) && !strings.Contains(string(data), `failures="3"`) {
		t.Errorf("JUnit: %s, %v", data, err)
	}
}

// TestReportFailure writes reports of runs that fail before the program starts.
func TestReportFailure(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		`--cards: `:                  {"--cards", "x", "--", "true", "-a"},
		`unknown flag --crads`:       {"--crads", "2", "--", "true", "-a"},
		`no such file`:               {"--config", "/missing", "--", "true", "-a"},
		`there is no card7`:          {"--on", "SETCRTC:card=card7:error=EIO", "--", "true", "-a"},
		`no connector DP-9`:          {"--expect", "frames:card0:DP-9>=1", "--", "true", "-a"},
		`cannot start /missing`:      {"--", "/missing", "-a"},
		`there is no program to run`: {},
	} {
		file := filepath.Join(t.TempDir(), "run.json")
		r := run(t, append([]string{"run", "--report", file, "--report=" + file + ".xml"}, args...)...)
		var got report.Report
		data, err := os.ReadFile(file)
		if err == nil {
			err = json.Unmarshal(data, &got)
		}
		if err != nil || !strings.Contains(got.Error, name) || !got.Complete || got.Exit != nil || len(args) > 0 && got.Program[len(got.Program)-1] != "-a" {
			t.Errorf("%q: %v, exit status %d\n%s%s", args, err, r.exit, r.stderr, data)
		}
		if data, err := os.ReadFile(file + ".xml"); err != nil || !strings.Contains(string(data), `failures="1"`) {
			t.Errorf("%q: %s, %v", args, data, err)
		}
	}
}

// TestReportStorm finds the steps of a storm in the reports, those that happened
// and those that did not.
func TestReportStorm(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "run.json")
	r := run(t, "run", "--storm", "5:span=40:steps=20", "--lenient", "--report", file, "--report", file+".xml", "--", "modetest", "-M", "vkms", "-c")
	data, err := os.ReadFile(file)
	var got report.Report
	if err = errors.Join(err, json.Unmarshal(data, &got)); err != nil {
		t.Fatalf("%v\n%s%s", err, r.stderr, data)
	}
	happened := 0
	for _, a := range got.Actions {
		if rule, ok := strings.CutPrefix(a.Asked, "--storm 5:steps=20:span=40: "); !ok || !strings.Contains(r.stderr, rule) || a.Error != "" {
			t.Errorf("the report has the action %+v", a)
		}
		happened += min(len(a.Happened), 1)
	}
	if len(got.Actions) != 20 || happened == 0 || happened == 20 {
		t.Errorf("of %d steps, %d happened\n%s%s", len(got.Actions), happened, r.stderr, data)
	}
	data, err = os.ReadFile(file + ".xml")
	if err != nil || !strings.Contains(string(data), fmt.Sprintf(`skipped="%d"`, 20-happened)) {
		t.Errorf("%v\n%s", err, data)
	}
}

// TestExpect runs programs with rules that hold, or are wrong.
func TestExpect(t *testing.T) {
	t.Parallel()
	withoutCard1 := filepath.Join(t.TempDir(), "cards.yaml")
	if err := os.WriteFile(withoutCard1, []byte("cards:\n  a: {connectors: {c: {type: DP}}}\n  b: {enabled: 0, connectors: {c: {type: DP}}}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		args []string
		exit int
		err  string
	}{
		{[]string{"--expect", "exit=3", "--", "sh", "-c", "exit 3"}, 0, ""},
		{[]string{"--expect", "exit=0", "--", "sh", "-c", "exit 3"}, 125, "udrm: expected exit=0, but exit: 3\n"},
		{[]string{"--lenient", "--expect", "frames>=1", "--", "sh", "-c", "exit 3"}, 3, "udrm: expected frames>=1, but frames: 0\n"},
		{[]string{"--expect", "no-errors", "--", "sh", "-c", ": </dev/dri/card0; exit 3"}, 3, ""},
		{[]string{"--expect", "no-errors", "--", "sh", "-c", "exit 3"}, 125, "udrm: expected no-errors, but no program has used a card\n"},
		{[]string{"--expect", "no-leaks", "--expect", "exit=127", "--", "/missing"}, 127, "udrm: cannot start /missing: no such file or directory\n"},
		{[]string{"--expect", "frames>=many", "--", "echo", "started"}, 125, `"many" is not a number`},
		{[]string{"--expect", "frame>=6", "--", "echo", "started"}, 125, "did you mean frames?"},
		{[]string{"--expect", "frames>=0", "--", "echo", "started"}, 125, "every run fulfils it"},
		{[]string{"--expect", "unplugs:card1=0", "--at", "1h:plug=card1", "--", "true"}, 125, "but card1 was never plugged in"},
		{[]string{"--format", "", "--", "echo", "started"}, 125, "--format is empty"},
		{[]string{"--crtcs", "0", "--", "echo", "started"}, 125, "--crtcs=0 is not a number from 1 to 31"},
		{[]string{"--config", "/missing", "--", "echo", "started"}, 125, "udrm: --config: open /missing: no such file"},
		{[]string{"--like", "/missing", "--", "echo", "started"}, 125, "udrm: --like: open /missing: no such file"},
		{[]string{"--on", "start:screenshot=card0=/missing/a.png", "--", "true"}, 125, "/missing/a.png: there is no directory /missing"},
		{[]string{"--expect", "frames:card1>=1", "--", "echo", "started"}, 125, "there is no card1: only card0 is described; make more cards with --cards"},
		{[]string{"--expect", "frames:card0:DP-7>=1", "--", "echo", "started"}, 125, "card0 has no connector DP-7"},
		{[]string{"--report", "/missing/directory/report", "--", "echo", "started"}, 125, "udrm: --report:"},
		{[]string{"--report", "xml:report", "--", "echo", "started"}, 125, "xml: is not a format"},
		{[]string{"--report", "/dev/null", "--report", "junit:/dev//null", "--", "echo", "started"}, 125, "is the file of another --report, too"},
		{[]string{"--trace", "/dev/null", "--report", "/dev/null", "--", "echo", "started"}, 125, "is the file of --trace, too"},
		{[]string{"--trace=", "--", "echo", "started"}, 125, "udrm: --trace: the name of the file is empty"},
		{[]string{"--config=", "--", "echo", "started"}, 125, "udrm: --config: the name of the file is empty"},
		{[]string{"--storm", "7", "--", "true"}, 125, "udrm: --storm 7: none of its 12 steps happened"},
		{[]string{"--config", withoutCard1, "--expect", "unplugs:card1=0", "--", "true"}, 125, "but card1 was never plugged in"},
	} {
		r := run(t, append([]string{"run"}, tc.args...)...)
		if r.exit != tc.exit || !strings.Contains(r.stderr, tc.err) || tc.err == "" && r.stderr != "" || r.stdout != "" {
			t.Errorf("%q: exit status %d, want %d and %q\n%s%s", tc.args, r.exit, tc.exit, tc.err, r.stdout, r.stderr)
		}
	}
}

// TestExpectNoErrors runs modetest, which sends DIRTYFB in vain, and lists blobs
// that do not exist.
func TestExpectNoErrors(t *testing.T) {
	t.Parallel()
	show := []string{"modetest", "-M", "vkms", "-s", connector + ":1024x768"}
	list := []string{"modetest", "-M", "vkms", "-c"}
	for _, tc := range []struct {
		rules   []string
		program []string
		err     string // "": the rules hold
	}{
		{[]string{"--expect", "no-errors"}, show, ""},
		{[]string{"--expect", "no-errors:DIRTYFB"}, show, "errors:MODE_DIRTYFB: 1: 1 × MODE_DIRTYFB: ENOSYS"},
		{[]string{"--expect", "no-errors", "--on", "RMFB:error=EIO"}, show, "errors: 1: 1 × MODE_RMFB: EIO"},
		{[]string{"--expect", "no-errors"}, list, "× MODE_GETPROPBLOB: ENOENT"},
		{[]string{"--expect", "no-errors,except=GETPROPBLOB:ENOENT"}, list, ""},
	} {
		r := run(t, slices.Concat([]string{"run"}, tc.rules, []string{"--"}, tc.program)...)
		if want := map[bool]int{true: 0, false: 125}[tc.err == ""]; r.exit != want || !strings.Contains(r.stderr, tc.err) {
			t.Errorf("%q of %q: exit status %d, want %d and %q\n%s", tc.rules, tc.program, r.exit, want, tc.err, r.stderr)
		}
	}
}

// TestExpectPicture compares the picture of modetest with itself and with
// another one.
func TestExpectPicture(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	golden := filepath.Join(dir, "golden.png")
	show := func(args ...string) result {
		return run(t, append(append([]string{"run"}, args...), "--", "modetest", "-M", "vkms", "-s", connector+":1024x768")...)
	}
	if r := show("--on", "SETCRTC:after:screenshot="+golden); r.exit != 0 {
		t.Fatalf("exit status %d\n%s", r.exit, r.stderr)
	}
	if r := show("--expect", "matches:card0="+golden); r.exit != 0 {
		t.Errorf("the same picture: exit status %d\n%s", r.exit, r.stderr)
	}
	r := run(t, "run", "--expect", "matches:card0="+golden, "--", "modetest", "-M", "vkms", "-s", connector+":1024x768", "-F", "plain")
	diff := filepath.Join(dir, "golden.diff.png")
	if _, err := os.Stat(diff); r.exit != 125 || err != nil || !strings.Contains(r.stderr, "pixels differ") || !strings.Contains(r.stderr, diff) {
		t.Errorf("another picture: exit status %d, %v\n%s", r.exit, err, r.stderr)
	}
}
