package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTrace traces modetest twice and looks at the traces with udrm trace.
func TestTrace(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	record := func(name string, args ...string) string {
		file := filepath.Join(dir, name)
		// modetest shows its picture until its input ends, which is at once.
		args = append([]string{"run", "--trace", file, "--", "modetest", "-M", "vkms", "-s", connector + ":1024x768"}, args...)
		if r := run(t, args...); r.exit != 0 {
			t.Fatalf("%q: exit status %d\n%s", args, r.exit, r.stderr)
		}
		return file
	}
	first, second := record("1.trace"), record("2.trace")

	view := func(exit int, args ...string) string {
		r := run(t, append([]string{"trace"}, args...)...)
		if r.exit != exit {
			t.Errorf("trace %q: exit status %d, want %d\n%s%s", args, r.exit, exit, r.stdout, r.stderr)
		}
		return r.stdout
	}
	text := view(0, "show", first)
	for _, want := range []string{
		"modetest[", "open(flags=O_RDWR|O_CLOEXEC)", "SET_CLIENT_CAP(capability=CLIENT_CAP_UNIVERSAL_PLANES, value=1) = 0",
		"MODE_CREATE_DUMB(height=768, width=1024, bpp=32,", "pixel_format=XRGB8888", "{property=DPMS, value=On}",
		"MODE_SETCRTC(set_connectors_ptr=[" + connector + "], count_connectors=1,", "name=1024x768}",
		"= ENOSYS (kms: DIRTYFB", "-- frame crtc=45", "-- unplugged",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the trace has no %q:\n%s", want, text)
		}
	}
	if out := view(0, "diff", first, second); out != "" {
		t.Errorf("two equal runs differ:\n%s", out)
	}
	other := record("3.trace", "-F", "plain")
	view(0, "diff", first, other) // what is drawn is not in the trace
	if out := view(1, "diff", first, record("4.trace", "-C")); !strings.Contains(out, "\n+") {
		t.Errorf("a run with other requests does not differ:\n%s", out)
	}
	var chrome struct{ TraceEvents []any }
	if err := json.Unmarshal([]byte(view(0, "chrome", first)), &chrome); err != nil || len(chrome.TraceEvents) < 50 {
		t.Errorf("the Chrome trace has %d events, %v", len(chrome.TraceEvents), err)
	}
	if out := view(0, "coverage", first, second); !strings.Contains(out, "MODE_SETCRTC                 ok:2\n") {
		t.Errorf("the coverage of two traces:\n%s", out)
	}
	if out := view(0, "stats", first); !strings.Contains(out, "  MODE_SETCRTC\n") || !strings.Contains(out, "CRTC 45: ") {
		t.Errorf("the statistics:\n%s", out)
	}
}

func TestTraceErrors(t *testing.T) {
	t.Parallel()
	junk := filepath.Join(t.TempDir(), "junk")
	if err := os.WriteFile(junk, []byte("{}\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"trace", "show", junk}, "not a trace"},
		{[]string{"trace", "show", "/nonexistent"}, "no such file"},
		{[]string{"trace", "diff", junk}, "trace diff takes two traces, not 1"},
		{[]string{"run", "--trace", "/nonexistent/file", "--", "true"}, "no such file"},
		{[]string{"run", "--trace", "/dev/full", "--", "true"}, "no space left on device"},
		{[]string{"run", "--trace", "/dev/full", "--name", "x y", "--", "true"}, "is not a name of a machine"},
	} {
		if r := run(t, tc.args...); r.exit != 125 || !strings.Contains(r.stderr, tc.want) {
			t.Errorf("%q: exit status %d, %q; want 125, %q", tc.args, r.exit, r.stderr, tc.want)
		}
	}
}
