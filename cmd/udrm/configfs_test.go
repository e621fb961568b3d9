package main

import (
	"os"
	"strings"
	"testing"
)

// sessionSteps are a session with configfs as it was recorded on Linux 7.2.13
// (testdata/oracle/7.2/configfs-session.txt), step by step with the kernel's
// answers. $C is /sys/kernel/config/vkms; "error: " stands for what a program says
// before the name of an error.
var sessionSteps = []struct{ command, want string }{
	{"ls $C", ""},
	{"mkdir $C/desk; find $C/desk | sort", `
$C/desk
$C/desk/connectors
$C/desk/crtcs
$C/desk/enabled
$C/desk/encoders
$C/desk/planes`},
	{"for o in a b; do mkdir $C/desk/planes/$o $C/desk/crtcs/$o $C/desk/encoders/$o $C/desk/connectors/$o; done", ""},
	{"find $C/desk -mindepth 2 | sort", `
$C/desk/connectors/a
$C/desk/connectors/a/possible_encoders
$C/desk/connectors/a/status
$C/desk/connectors/b
$C/desk/connectors/b/possible_encoders
$C/desk/connectors/b/status
$C/desk/crtcs/a
$C/desk/crtcs/a/writeback
$C/desk/crtcs/b
$C/desk/crtcs/b/writeback
$C/desk/encoders/a
$C/desk/encoders/a/possible_crtcs
$C/desk/encoders/b
$C/desk/encoders/b/possible_crtcs
$C/desk/planes/a
$C/desk/planes/a/possible_crtcs
$C/desk/planes/a/type
$C/desk/planes/b
$C/desk/planes/b/possible_crtcs
$C/desk/planes/b/type`},
	{`for f in $(find $C/desk -type f | sort); do echo "$f = $(cat $f) $(ls -l $f | cut -c1-10)"; done`, `
$C/desk/connectors/a/status = 1 -rw-r--r--
$C/desk/connectors/b/status = 1 -rw-r--r--
$C/desk/crtcs/a/writeback = 0 -rw-r--r--
$C/desk/crtcs/b/writeback = 0 -rw-r--r--
$C/desk/enabled = 0 -rw-r--r--
$C/desk/planes/a/type = 0 -rw-r--r--
$C/desk/planes/b/type = 0 -rw-r--r--`},
	{"/bin/echo 1 >$C/desk/enabled", "error: Invalid argument"},
	{"echo 1 >$C/desk/planes/a/type; echo 1 >$C/desk/planes/b/type", ""},
	{`for o in a b; do
		ln -s $C/desk/crtcs/$o $C/desk/planes/$o/possible_crtcs
		ln -s $C/desk/crtcs/$o $C/desk/encoders/$o/possible_crtcs
		ln -s $C/desk/encoders/$o $C/desk/connectors/$o/possible_encoders
	done`, ""},
	{"echo 1 >$C/desk/enabled; echo rc=$?; cat $C/desk/enabled; ls /dev/dri /sys/bus/faux/devices", `
rc=0
1
/dev/dri:
card0

/sys/bus/faux/devices:
desk`},
	{"for f in $C/desk/enabled $C/desk/planes/a/type $C/desk/connectors/b/status; do cat $f; done", "1\n1\n1"},
	{"mkdir $C/desk/planes/c", "error: Device or resource busy"},
	{"rmdir $C/desk/planes/a", "error: Directory not empty"},
	{"echo 2 >$C/desk/connectors/a/status; echo rc=$?; cat /sys/class/drm/card0-Virtual-1/status /sys/class/drm/card0-Virtual-2/status", `
rc=0
disconnected
connected`},
	{"/bin/echo 9 >$C/desk/connectors/a/status", "error: Invalid argument"},
	{"/bin/echo x >$C/desk/enabled", "error: Invalid argument"},
	{"echo 0 >$C/desk/enabled; echo rc=$?; ls /dev/dri", "rc=0\nerror: No such file or directory"},
	{"mkdir $C/vkms", "error: Invalid argument"},
	{"mkdir $C/", "error: File exists"},
	{"rm $C/desk/planes/a/possible_crtcs/a; echo rc=$?", "rc=0"},
	{"rmdir $C/desk/planes/a; echo rc=$?", "rc=0"},

	// What the recording does not have.
	{"readlink $C/desk/planes/b/possible_crtcs/b", "../../../../../vkms/desk/crtcs/b"},
	{"rmdir $C/desk/crtcs/b", "error: Device or resource busy"},
	{"rmdir $C/desk/planes", "error: Operation not permitted"},
	{"rmdir $C", "error: Operation not permitted"},
	{"unlink $C/desk/enabled", "error: Operation not permitted"},
	{"ln -s /tmp $C/desk/planes/b/possible_crtcs/x", "error: Operation not permitted"},
	{"cd $C/desk && mkdir planes/c && ls planes && rmdir planes/c && cd planes && ls", "b\nc\nb"},
	{"stat -fc %t $C", "62656570"},
	{"mkdir /sys/class/drm/new", "error: Operation not permitted"},
}

func TestConfigfsSession(t *testing.T) {
	const root = "/sys/kernel/config/vkms"
	if _, err := os.Stat("testdata/oracle/7.2/configfs-session.txt"); err != nil {
		t.Fatal(err)
	}
	var script strings.Builder
	for _, step := range sessionSteps {
		script.WriteString("echo '== '; (" + strings.ReplaceAll(step.command, "$C", root) + ") 2>&1\n")
	}
	r := run(t, "run", "--vkms", "7.2", "--cards", "0", "--", "sh", "-c", script.String()+"exit 0")
	answers := strings.Split(r.stdout, "== \n")
	if len(answers) != len(sessionSteps)+1 || r.exit != 0 {
		t.Fatalf("exit %d, %d answers:\n%s%s", r.exit, len(answers)-1, r.stdout, r.stderr)
	}
	for i, step := range sessionSteps {
		got := replace(answers[i+1], `^.*: ([A-Z][a-z ]+)$`, "error: $1")
		want := strings.TrimSpace(strings.ReplaceAll(step.want, "$C", root))
		if strings.TrimSpace(got) != want {
			t.Errorf("%s\n%s\nthe kernel said:\n%s", step.command, got, want)
		}
	}
}

// TestConfigfsPrograms shows a card that a program has made, and its end while
// another program uses it.
func TestConfigfsPrograms(t *testing.T) {
	const script = `set -e
		C=/sys/kernel/config/vkms/desk
		mkdir $C $C/planes/p $C/crtcs/c $C/encoders/e $C/connectors/k
		echo 1 >$C/planes/p/type
		ln -s $C/crtcs/c $C/planes/p/possible_crtcs
		ln -s $C/crtcs/c $C/encoders/e/possible_crtcs
		ln -s $C/encoders/e $C/connectors/k/possible_encoders
		echo 1 >$C/enabled
		"$0" ls | grep -o 'card1.*Virtual-2' | sed 's/  */ /g' | cut -c1-5
		cat /sys/kernel/debug/dri/desk/vkms_config
		modetest -M vkms -s Virtual-1:1024x768 </dev/null >/dev/null 2>&1
		echo 0 >$C/enabled
		ls /dev/dri
		rmdir $C/connectors/k/possible_encoders/../../../connectors 2>/dev/null || echo kept
	`
	r := run(t, "run", "--vkms", "7.2", "--", "sh", "-c", script, udrm)
	const want = "dev_name=desk\nplane:\n\ttype=1\ncrtc:\n\twriteback=0\nencoder\nconnector:\n\tstatus=1\ncard0\nkept\n"
	if got := strings.TrimPrefix(r.stdout, "card1\n"); r.exit != 0 || got != want {
		t.Errorf("exit %d:\n%s%s", r.exit, r.stdout, r.stderr)
	}
}

// TestNoConfigfs checks that Linux 6.12's vkms has no directory in configfs.
func TestNoConfigfs(t *testing.T) {
	r := run(t, "run", "--vkms", "6.12", "--", "sh", "-c", "mkdir /sys/kernel/config/vkms/desk 2>/dev/null; test ! -e /sys/kernel/config/vkms")
	if r.exit != 0 {
		t.Errorf("exit %d: %s%s", r.exit, r.stdout, r.stderr)
	}
}
