package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/udrm/udrm/trace"
)

// TestControlRules adds rules to a running machine, awaits and removes them, and
// records traces of what they do.
func TestControlRules(t *testing.T) {
	t.Parallel()
	cmd := script(t, `
check() { # STATUS COMMAND…
	want=$1; shift
	"$@"; got=$?
	[ $got = $want ] || echo "$*: status $got, want $want"
}
modetest() { command modetest -M vkms -s DP-1:1024x768 </dev/null >/dev/null; }
check 0 udrm trace start trace.jsonl
check 1 udrm trace start "$PWD/trace.jsonl"
check 1 udrm trace start /dev/full
udrm trace start - >stream.jsonl &
stream=$!
await() { i=0; until grep -q $1 stream.jsonl || [ $((i+=1)) = 3000 ]; do sleep 0.01; done; }
await version
[ "$(udrm fault ADDFB2#1 ENOSPC)" = 1 ] || echo "the first rule is not 1"
modetest
[ "$(udrm fault MODE_GETRESOURCES 1ms --times 2 --card card0 --program modetest)" = 2 ] || echo "not 2"
check 1 udrm on SETCRTC:disconnect=DP-9
[ "$(udrm on SETCRTC#1:handled:unplug)" = 3 ] || echo "not 3"
check 124 udrm on wait 3 --timeout 0s
modetest
check 0 udrm on wait 3 --timeout 1m
udrm on list | grep -q '^3 *1 *SETCRTC#1:handled:unplug' || udrm on list
udrm on list --json | grep -q '"rule":"MODE_GETRESOURCES:when=1..2:card=card0:comm=modetest:delay=1ms","fired":2' || udrm on list --json
check 0 udrm on remove 1
check 1 udrm on remove 1
check 1 udrm on wait 7
check 125 udrm on SETCRCT:unplug
[ "$(udrm on ADDFB2:pid=4194304:unplug 2>&1)" = "udrm: on ADDFB2:pid=4194304:unplug: there is no process 4194304" ] ||
	udrm on ADDFB2:pid=4194304:unplug
[ "$(udrm on SETCRTC#2:screenshot=out.png)" = 4 ] || echo "not 4"
udrm on list | grep -q "SETCRTC#2:screenshot=$PWD/out.png" || udrm on list
check 0 udrm on remove 4
check 125 udrm on remove
check 125 udrm on list 3
check 125 udrm fault ADDFB2 ENOSUCH
check 0 udrm trace start second.jsonl
check 1 udrm trace stop
check 0 udrm trace stop trace.jsonl
check 1 udrm trace stop trace.jsonl
[ "$(udrm trace stop)" = "$PWD/second.jsonl" ] || echo "trace stop does not stop the only trace"
check 1 udrm trace stop
check 125 udrm trace stop -
await ENODEV
kill $stream
wait
`, "--monitor", "1024x768,DP")
	r := finish(t, cmd)
	if r.exit != 0 || r.stdout != "" {
		t.Errorf("exit %d\n%s%s", r.exit, r.stdout, r.stderr)
	}
	for _, want := range []string{
		"failed to add fb (1024x768): No space left on device\n",
		"trace.jsonl: a trace is being written to this file; stop it first\n",
		"udrm: trace start /dev/full: /dev/full is not a regular file\n",
		"udrm: trace stop: 2 traces are being recorded; name one of them; recorded are: /",
		"second.jsonl\nudrm: trace stop: no trace is being recorded into a file\n",
		"udrm: wait for rule 3: waiting for SETCRTC#1:handled:unplug: it has not fired: its event has not happened",
		"udrm: remove rule 1: there is no rule 1; udrm on list shows the rules\n",
	} {
		if !strings.Contains(r.stderr, want) {
			t.Errorf("no message %q in\n%s", want, r.stderr)
		}
	}
	for _, name := range []string{"trace.jsonl", "stream.jsonl"} {
		file, err := os.Open(filepath.Join(cmd.Dir, name))
		if err != nil {
			t.Fatal(err)
		}
		records, err := trace.Read(file)
		file.Close()
		errnos := make(map[string]bool)
		for _, r := range records {
			errnos[r.Errno] = true
		}
		if err != nil || !errnos["ENOSPC"] || !errnos["ENODEV"] {
			t.Errorf("%s: %d records, %v, the errors are %v", name, len(records), err, errnos)
		}
	}
}

// TestControlFaults adds each kind of fault with the command fault.
func TestControlFaults(t *testing.T) {
	t.Parallel()
	r := finish(t, script(t, `
udrm fault MODE_PAGE_FLIP EBUSY --times 3
udrm fault MODE_ATOMIC:planes=2+ ENOSPC
udrm fault frame#2 lost
udrm fault event#3 short=8
udrm fault mmap#2 ENOMEM
udrm fault MODE_ATOMIC:flag=TEST_ONLY retval=0
udrm fault ADDFB2 nonsense
udrm fault ADDFB2:card=card7 ENOMEM
udrm on list
for rule in 1 2 3 4 5 6; do udrm on remove $rule; done
`))
	want := []string{
		"MODE_PAGE_FLIP:when=1..3:error=EBUSY", "MODE_ATOMIC:planes=2+:error=ENOSPC", "frame#2:lost", "event#3:short=8",
		"mmap#2:error=ENOMEM", "MODE_ATOMIC:flag=TEST_ONLY:retval=0",
	}
	for i, rule := range want {
		if !strings.Contains(r.stdout, fmt.Sprintf("%d   0      %s ", i+1, rule)) {
			t.Errorf("the rules lack %s:\n%s", rule, r.stdout)
		}
	}
	if r.exit != 0 || !strings.Contains(r.stderr, `unknown word "nonsense"`) || !strings.Contains(r.stderr, "there is no card7") {
		t.Errorf("exit %d\n%s", r.exit, r.stderr)
	}
}

// TestControlRuleMissed ends a program before a rule of a client has fired: the
// run fails, as with --on.
func TestControlRuleMissed(t *testing.T) {
	t.Parallel()
	r := finish(t, script(t, "udrm on MODE_ATOMIC#3:unplug"))
	if r.exit != 125 || !strings.Contains(r.stderr, "udrm: MODE_ATOMIC#3:unplug: it has not fired: its event has not happened\n") {
		t.Errorf("exit %d\n%s", r.exit, r.stderr)
	}
	if r := finish(t, script(t, "udrm on MODE_ATOMIC#3:unplug && udrm on remove 1")); r.exit != 0 {
		t.Errorf("a rule that was removed: exit %d\n%s", r.exit, r.stderr)
	}
}

// TestControlClock stops and steps the clock of a running machine.
func TestControlClock(t *testing.T) {
	t.Parallel()
	r := finish(t, script(t, `
check() { # STATUS COMMAND…
	want=$1; shift
	"$@"; got=$?
	[ $got = $want ] || echo "$*: status $got, want $want"
}
check 1 udrm clock step
check 125 udrm clock run 3
check 125 udrm clock backwards
check 0 udrm clock stop
[ "$(udrm clock)" = step ] || udrm clock
check 124 udrm clock step --timeout 0s
check 125 udrm clock step -- -1
mkfifo input
modetest -M vkms -s DP-1:1024x768 -v <input >/dev/null 2>&1 &
exec 3>input
check 0 udrm clock step 5 --timeout 1m
check 0 udrm wait card0 --frames 4 --timeout 1m
check 0 udrm clock fast
[ "$(udrm clock show)" = fast ] || udrm clock
check 0 udrm clock run
check 0 udrm clock real
[ "$(udrm clock)" = real ] || udrm clock
exec 3>&-
wait
`, "--monitor", "1024x768,DP"))
	if r.exit != 0 || r.stdout != "" {
		t.Errorf("exit %d\n%s%s", r.exit, r.stdout, r.stderr)
	}
	for _, want := range []string{
		"udrm: clock step 1: stepping the clock: its mode is real; set it to step first; udrm clock stop does that\n",
		"(the time is over); check the program, or wait longer than 0s\n",
	} {
		if !strings.Contains(r.stderr, want) {
			t.Errorf("no message %q in\n%s", want, r.stderr)
		}
	}
}
