package report

import (
	"encoding/json"
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseRefuses(t *testing.T) {
	for _, tc := range []struct{ rule, want string }{
		{"", "unknown rule"},
		{"frame>=6", "unknown rule frame; did you mean frames?"},
		{"unplug=1", "unknown rule unplug; did you mean unplugs?"},
		{"no_leaks", "unknown rule no_leaks; did you mean no-leaks?"},
		{"No-Leaks", "did you mean no-leaks?"},
		{"match:card0=a.png", "did you mean matches?"},
		{"matches=a.png", "incomplete rule matches; write frames>=60"},
		{"frames", "incomplete rule frames; write frames>=60"},
		{"exit", "incomplete rule exit"},
		{"pictures>=1", "unknown rule; write frames>=60"},
		{"frames>=", `"" is not a number`},
		{"frames>=-1", `"-1" is not a number`},
		{"frames>=six", `"six" is not a number`},
		{"frames>6 ", `"6 " is not a number`},
		{"frames=>6", `"=>" does not compare; write one of =, >=, <=, >, <`},
		{"exit==0", `"==" does not compare`},
		{"exit!=0", `"!=" does not compare`},
		{"frames:>=1", "there is no name after a colon"},
		{"errors:=0", "there is no name after a colon"},
		{"no-errors:RMFB=0", "no-errors takes no number; write no-errors:RMFB"},
		{"frames>=0", "every run fulfils it; write a rule that can fail, such as frames>=1"},
		{"errors>=0", "every run fulfils it"},
		{"exit<=255", "every run fulfils it"},
		{"frames>=99999999999999999999", "too large"},
		{"frames:gpu>=1", `"gpu" is not a card`},
		{"frames:card0:DP-1:x>=1", "does not take"},
		{"exit:card0=1", "does not take"},
		{"no-such", "unknown rule"},
		{"exit=256", "256 is not an exit status"},
		{"errors:NOPE=0", `unknown request "NOPE"`},
		{"no-errors:MODE_ATOM", "did you mean MODE_ATOMIC?"},
		{"no-errors,MODE_RMFB:ENOENT", "is not except=REQUEST:ERROR"},
		{"no-errors,except=MODE_RMFB", "is not except=REQUEST:ERROR"},
		{"no-errors,except=NOPE:ENOENT", `unknown request "NOPE"`},
		{"no-errors,except=RMFB:ENOPE", `unknown error "ENOPE"`},
		{"no-errors:RMFB,except=RMFB:ENOENT", "only errors and no-errors take"},
		{"no-leaks,except=RMFB:ENOENT", "only errors and no-errors take"},
		{"frames>=6,except=RMFB:ENOENT", "only errors and no-errors take"},
		{"errors:MODE_RMFB TEST_ONLY=0", "MODE_RMFB has no flag TEST_ONLY"},
		{"matches:card0:DP-1", "there is no file"},
		{"matches:card0:=a.png", "connector is empty"},
		{"matches:card0=missing.png", "no such file"},
		{"matches:card0=missing.png,tolerance=300", "not a number from 0 to 255"},
		{"matches:card0=missing.png,blur=3", "neither tolerance"},
	} {
		if e, err := Parse(tc.rule); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%q: %v, %v; want %q", tc.rule, e, err, tc.want)
		}
	}
}

// sample is a report with something of everything.
func sample() *Report {
	exit := 3
	return &Report{
		Version: Version, Program: []string{"a", "<b>"}, Complete: true, Exit: &exit,
		Cards: []Card{
			{Label: "card0", Connectors: []Connector{{"DP-1", 10}, {"DP-2", 5}}},
			{Label: "card1", Connectors: []Connector{{"DP-3", 100}}},
			{Label: "card2", neverPlugged: true},
		},
		Actions: []Action{{Asked: "--at 1s:unplug=card0", Error: "not done"}},
		Unplugs: []Unplug{{Card: "card1"}},
		Requests: []Request{
			{Name: "MODE_ATOMIC", Count: 9, Errors: []Error{{Errno: "EINVAL", Reason: "kms: why", Count: 2}}},
			{Name: "MODE_ATOMIC" + testOnly, Count: 9, Errors: []Error{{Errno: "EINVAL", Reason: "kms: why", Count: 4}}},
			{Name: "MODE_RMFB", Count: 1, Errors: []Error{{Errno: "ENOENT", Reason: "kms: no such", Count: 1}}},
			{Name: "MODE_DIRTYFB", Count: 1, Errors: []Error{{Errno: "ENOSYS", Reason: "kms: not needed", Count: 1, Query: true}}},
		},
		AfterUnplug:  []Request{{Name: "MODE_RMFB", Count: 2}},
		StaleObjects: []Stale{{"MODE_ATOMIC", "framebuffer 41", 3}},
		LeakedGuards: []Leak{},
	}
}

func TestCheck(t *testing.T) {
	for _, tc := range []struct{ rule, want string }{
		{"frames>=115", ""},
		{"frames>=116", "frames: 115"},
		{"frames:card0=15", ""},
		{"frames:card0:DP-2<5", "frames:card0:DP-2: 5"},
		{"errors<=3", ""},
		{"no-errors", "errors: 3: 2 × MODE_ATOMIC: EINVAL (kms: why); 1 × MODE_RMFB: ENOENT (kms: no such)"},
		{"errors:MODE_RMFB=1", ""},
		{"no-errors,except=RMFB:ENOENT", "errors: 2: 2 × MODE_ATOMIC: EINVAL (kms: why)"},
		{"no-errors,except=RMFB:EINVAL,except=ATOMIC:EINVAL", "errors: 1: 1 × MODE_RMFB: ENOENT (kms: no such)"},
		{"no-errors,except=RMFB:ENOENT,except=ATOMIC:EINVAL", ""},
		{"no-errors:DIRTYFB", "errors:MODE_DIRTYFB: 1: 1 × MODE_DIRTYFB: ENOSYS (kms: not needed)"},
		{"no-errors:RMFB", "errors:MODE_RMFB: 1: 1 × MODE_RMFB: ENOENT (kms: no such)"},
		{"errors:DRM_IOCTL_MODE_ATOMIC=2", ""},
		{"errors:ATOMIC TEST_ONLY=4", ""},
		{"errors:open=0", "there was no open"},
		{"no-errors:ADDFB2", "there was no MODE_ADDFB2"},
		{"no-leaks", ""},
		{"no-requests-after-unplug", "requests-after-unplug: 2: 2 × MODE_RMFB"},
		{"unplugs:card1=1", ""},
		{"no-stale-objects", "stale-objects: 3: 3 × MODE_ATOMIC: framebuffer 41"},
		{"stale-objects<=3", ""},
		{"unplugs:card0=1", "unplugs:card0: 0"},
		{"unplugs:card2=0", "card2 was never plugged in"},
		{"frames:card2=0", "card2 was never plugged in"},
		{"frames:card1:DP-9=0", "card1 has no connector DP-9"},
		{"exit=3", ""},
		{"exit=0", "exit: 3"},
	} {
		e, err := Parse(tc.rule)
		if err != nil {
			t.Errorf("%s: %v", tc.rule, err)
			continue
		}
		if got := e.Check(sample()); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.rule, got, tc.want)
		}
	}
}

// TestNothingHappened checks rules with a run in which nothing happened that they
// are about.
func TestNothingHappened(t *testing.T) {
	exit := 0
	idle := &Report{Exit: &exit, Cards: []Card{{Label: "card0", Connectors: []Connector{{Name: "DP-1"}}}}}
	used := *idle
	used.Requests = []Request{{Name: "open", Count: 1}}
	for _, tc := range []struct {
		rule, idle, used string
	}{
		{"no-errors", "no program has used a card", ""},
		{"errors<=3", "no program has used a card", ""},
		{"no-errors:RMFB", "no program has used a card", "there was no MODE_RMFB"},
		{"no-errors:open", "no program has used a card", ""},
		{"no-leaks", "no program has used a card", ""},
		{"no-stale-objects", "no program has used a card", ""},
		{"no-requests-after-unplug", "no program has used a card", ""},
		{"frames=0", "", ""},
		{"exit=0", "", ""},
	} {
		e, err := Parse(tc.rule)
		if err != nil {
			t.Fatal(err)
		}
		if idle, used := e.Check(idle), e.Check(&used); idle != tc.idle || used != tc.used {
			t.Errorf("%s: %q and %q; want %q and %q", tc.rule, idle, used, tc.idle, tc.used)
		}
	}
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	r := sample()
	file := filepath.Join(dir, "report")
	for range 2 { // the second time over an old file
		if err := r.Write(file, JSON); err != nil {
			t.Fatal(err)
		}
	}
	var back Report
	data, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(data, &back)
	}
	if err != nil || *back.Exit != 3 || back.Cards[1].Connectors[0].Frames != 100 {
		t.Errorf("%s, %v", data, err)
	}
	if err := r.Write(file, JUnit); err != nil {
		t.Fatal(err)
	}
	var suite testSuite
	if data, err = os.ReadFile(file); err == nil {
		err = xml.Unmarshal(data, &suite)
	}
	if err != nil || suite.Name != "a <b>" || suite.Tests != 2 || suite.Failures != 2 || suite.Cases[0].Failure.Message != "exit status 3" {
		t.Errorf("%s, %v", data, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("files are left behind: %v, %v", entries, err)
	}
	if err := r.Write(filepath.Join(dir, "missing", "report"), JSON); err == nil {
		t.Error("a report was written to a directory that does not exist")
	}
}
