package aim_test

import (
	"bytes"
	"context"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/udrm/udrm/machine"
	"github.com/udrm/udrm/machine/aim"
	"github.com/udrm/udrm/machine/config"
	"github.com/udrm/udrm/trace"
)

// flipping runs modetest with flips, and returns a trace of it. The rules must
// end it. With steps, it steps the clock whenever modetest waits.
func flipping(t *testing.T, mode machine.ClockMode, steps bool, rules ...string) []trace.Record {
	t.Helper()
	var recorded bytes.Buffer
	recorder := trace.NewRecorder(&recorded)
	m, err := machine.New([]config.Card{config.DefaultCard()}, machine.Options{Clock: mode, Tracer: recorder})
	if err != nil {
		t.Fatal(err)
	}
	var triggers []*aim.Trigger
	for _, rule := range rules {
		triggers = append(triggers, attach(t, m, rule))
	}
	modetest := exec.Command("modetest", "-M", "vkms", "-s", "Virtual-1:1024x768", "-v")
	input, err := modetest.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer input.Close()
	p, err := m.Start(modetest)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	stepped := make(chan struct{})
	go func() {
		defer close(stepped)
		for steps && m.StepClock(ctx, 1) == nil {
		}
	}()
	defer func() {
		cancel()
		<-stepped
	}()
	if _, err := p.Wait(); err != nil {
		t.Error(err)
	}
	for _, trigger := range triggers {
		if err := trigger.Close(); err != nil {
			t.Errorf("%v: %v", trigger.Rule(), err)
		}
	}
	if err := m.Close(context.Background()); err != nil {
		t.Error(err)
	}
	if err := recorder.Close(); err != nil {
		t.Error(err)
	}
	records, err := trace.Read(&recorded)
	if err != nil {
		t.Error(err)
	}
	return records
}

// TestStepsRepeat runs modetest twice with a clock that the test steps.
// The traces are equal.
func TestStepsRepeat(t *testing.T) {
	t.Parallel()
	var runs [2][]trace.Record
	for i := range runs {
		runs[i] = flipping(t, machine.ClockStep, true, "MODE_PAGE_FLIP#20:error=EIO:signal=KILL")
		// The kill can come before the answer of the last flip, or after it.
		last := -1
		for j, r := range runs[i] {
			if r.Request == "MODE_PAGE_FLIP" {
				last = j
			}
		}
		if last < 0 {
			t.Fatal("no flips")
		}
		runs[i] = slices.Delete(runs[i], last, last+1)
	}
	var differences strings.Builder
	if n, err := trace.Diff(&differences, runs[0], runs[1]); n != 0 || err != nil {
		t.Errorf("%d differences, %v:\n%s", n, err, &differences)
	}
	flips, events := 0, 0
	for _, r := range runs[0] {
		switch {
		case r.Request == "MODE_PAGE_FLIP":
			flips++
		case r.Type == "event":
			events++
		}
	}
	if flips != 19 || events != 19 {
		t.Errorf("%d flips and %d events, want 19 and 19", flips, events)
	}
}

// TestStopped ends a program whose last flip is not shown, while the clock is
// stopped.
func TestStopped(t *testing.T) {
	t.Parallel()
	flipping(t, machine.ClockStep, false, "SETCRTC,MODE_OBJ_SETPROPERTY#1+:step=1", "MODE_PAGE_FLIP#1:after:signal=KILL")
}

// TestStepOfRunningClock checks that an action which steps a clock that runs fails.
func TestStepOfRunningClock(t *testing.T) {
	t.Parallel()
	for _, mode := range []machine.ClockMode{machine.ClockReal, machine.ClockFast, machine.ClockStep} {
		m := newMachineOf(t, mode, config.DefaultCard())
		step := attach(t, m, "open:step=1")
		newClient(t, card(t, m, "card0"))
		switch err := step.Close(); {
		case mode == machine.ClockStep && err != nil:
			t.Errorf("with %s: %v", mode, err)
		case mode != machine.ClockStep && (err == nil || !strings.Contains(err.Error(), "its mode is "+string(mode))):
			t.Errorf("with %s: %v, want an error", mode, err)
		}
	}
}

// TestFastClock lets modetest flip 600 times. The vblanks are all there, in
// virtual time.
func TestFastClock(t *testing.T) {
	t.Parallel()
	frames := 0
	for _, r := range flipping(t, machine.ClockFast, false, "MODE_PAGE_FLIP#600:after:signal=KILL") {
		if r.Type == "frame" {
			frames++
		}
	}
	if frames < 600 {
		t.Errorf("%d frames, want 600", frames)
	}
}
