package aim

import (
	"math"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
)

// TestParse checks what rules mean.
func TestParse(t *testing.T) {
	atomic := map[uint32]bool{uapi.IoctlModeAtomic & typeAndNumber: true}
	for text, check := range map[string]func(r *Rule) bool{
		"MODE_ATOMIC#3:unplug": func(r *Rule) bool {
			return len(r.Event.requests) == 1 && r.Event.requests[uapi.IoctlModeAtomic&typeAndNumber] == atomic[uapi.IoctlModeAtomic&typeAndNumber] &&
				r.When == When{3, 3, 1} && r.Point == Entered && r.Action.String() == "unplug"
		},
		"ATOMIC,DRM_IOCTL_MODE_PAGE_FLIP:unplug": func(r *Rule) bool { return len(r.Event.requests) == 2 && r.When == once },
		"all:error=EIO":                          func(r *Rule) bool { return r.Event.requests == nil && r.Error == unix.EIO && r.When == each },
		"ADDFB2#2+3:handled:error=ENOSPC":        func(r *Rule) bool { return r.When.Step == 3 && r.Point == Handled },
		"ADDFB2:error=EBUSY:when=2..5":           func(r *Rule) bool { return r.When == When{2, 5, 1} },
		"ADDFB2:delay_enter=250":                 func(r *Rule) bool { return r.Delay == 250*time.Microsecond && r.Point == Entered },
		"ADDFB2:delay_exit=10ms":                 func(r *Rule) bool { return r.Delay == 10*time.Millisecond && r.Point == After },
		"SETCRTC:before:delay=1s:unbind=card1":   func(r *Rule) bool { return r.Point == Before && r.Delay == time.Second && r.Action.Card == "card1" },
		"close:unplug":                           func(r *Rule) bool { return r.Point == After },
		"frame#60:screenshot=a:b.png":            func(r *Rule) bool { return r.Action.Argument == "a:b.png" && r.Action.Connector == "" },
		"frame:screenshot=DP-1=b.png":            func(r *Rule) bool { return r.Action.Argument == "b.png" && r.Action.Connector == "DP-1" },
		"frame:screenshot=card1:DP-1=b.png":      func(r *Rule) bool { return r.Action.String() == "screenshot=card1:DP-1=b.png" },
		"frame:disconnect=DP-1":                  func(r *Rule) bool { return r.Action.Card == "" && r.Action.Connector == "DP-1" },
		"frame:connect=DP-1=New:1280x720@60":     func(r *Rule) bool { return r.Action.Argument == "New:1280x720@60" },
		"frame:crtc=38:card=card0:plug=card1":    func(r *Rule) bool { return r.CRTC == 38 && r.Card == "card0" },
		"ATOMIC:comm=a-very-long-program:pid=7:property=FB_ID:signal=KILL": func(r *Rule) bool {
			return r.Comm == "a-very-long-pro" && r.PID == 7 && r.Property == "FB_ID" && r.Signal == unix.SIGKILL
		},
		"ATOMIC:flag=!TEST_ONLY:error=ENOSPC": func(r *Rule) bool { return r.Flag == "!TEST_ONLY" && r.Error == unix.ENOSPC },
		"ATOMIC:flag=TEST_ONLY:retval=0":      func(r *Rule) bool { return r.Succeed && r.When == each },
		"event#2:lost":                        func(r *Rule) bool { return r.Lost && r.Point == After },
		"event:doubled:delay=20ms":            func(r *Rule) bool { return r.Doubled && r.Delay == 20*time.Millisecond },
		"event:short=8:comm=weston":           func(r *Rule) bool { return r.Short == 8 && r.Comm == "weston" },
		"frame#2:clock=step":                  func(r *Rule) bool { return r.Action.Kind.Name == "clock" && r.Action.Argument == "step" },
		"ADDFB2:step=3":                       func(r *Rule) bool { return r.Action.String() == "step=3" },
		"frame:wedge=rebind,bus-reset":        func(r *Rule) bool { return r.Action.Argument == "rebind,bus-reset" && r.Action.Card == "" },
		"frame:wedge=card1=unknown":           func(r *Rule) bool { return r.Action.Argument == "unknown" && r.Action.Card == "card1" },
		"frame:badlink=DP-1":                  func(r *Rule) bool { return r.Action.Connector == "DP-1" },
		"frame#2:lost":                        func(r *Rule) bool { return r.Lost && r.When == When{2, 2, 1} },
		"ATOMIC:planes=3+:error=ENOSPC":       func(r *Rule) bool { return *r.Planes == Span{3, math.MaxUint64} && r.Bandwidth == nil },
		"SETPLANE:planes=2:bandwidth=5..9:error=ENOSPC": func(r *Rule) bool {
			return *r.Planes == Span{2, 2} && *r.Bandwidth == Span{5, 9}
		},
		"start#1:unplug=card0": func(r *Rule) bool { return r.When == When{1, 1, 1} },
	} {
		r, err := Parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if !check(r) || r.String() != text {
			t.Errorf("%s was read as %+v", text, r)
		}
	}
	for text, why := range map[string]string{
		"":                                   "there is no event",
		"MODE_ATOMIC":                        "there is no effect",
		"MODE_ATOMIC#3":                      "there is no effect",
		"ATOMC:unplug":                       "unknown request \"ATOMC\"; did you mean MODE_ATOMIC?",
		"nonsense:unplug":                    "unknown event \"nonsense\"",
		"FLIP:unplug":                        "did you mean MODE_PAGE_FLIP?",
		"ADDFB2#0:unplug":                    "is not a time to fire",
		"ADDFB2#5..3:unplug":                 "ends before it begins",
		"ADDFB2#1:when=2:unplug":             "when is given twice",
		"ADDFB2:explode":                     "unknown word \"explode\"",
		"ADDFB2:comm=:unplug":                "comm= has no value",
		"ADDFB2:error=EWRONG":                "error=EWRONG is not an error; write the name of one, such as error=ENOSPC",
		"ADDFB2:error=28":                    "write error=ENOSPC",
		"ADDFB2:error=eio":                   "write error=EIO",
		"read:unplug":                        "the kernel answers reads",
		"ADDFB2,:unplug":                     "no request before or after a comma",
		"ADDFB2:signal=SIGWRONG":             "is not a signal",
		"ADDFB2:delay=soon":                  "is not a time",
		"ADDFB2:before:after:unplug":         "exclude each other",
		"ADDFB2:before:delay_enter=1:unplug": "exclude each other",
		"ADDFB2:after:error=EIO":             "too late",
		"ADDFB2:unplug=card64":               "is not a card",
		"ADDFB2:unplug=DP-1":                 "is not a card",
		"ADDFB2:unplug:delay=1":              "unplug is not the last word",
		"ADDFB2:disconnect":                  "takes a connector",
		"ADDFB2:screenshot":                  "takes a file",
		"ADDFB2:unplug=card0=x":              "takes no monitor",
		"close:error=EIO":                    "close cannot fail",
		"close:delay=1ms":                    "close cannot be delayed",
		"close:entered:unplug":               "close has no point entered",
		"close:before:unplug":                "close has no point before",
		"open:crtc=38:unplug":                "open has no CRTC",
		"open:property=FB_ID:unplug":         "open sets no property",
		"ADDFB2:property=FB_ID:unplug":       "ADDFB2 sets no property",
		"ADDFB2:crtc=38:unplug":              "ADDFB2 has no CRTC",
		"ADDFB2:planes=3+:error=ENOSPC":      "ADDFB2 changes no planes",
		"ATOMIC:planes=3-:error=ENOSPC":      "planes=3- is no number: write planes=3",
		"ATOMIC:bandwidth=5..3:error=ENOSPC": "bandwidth=5..3 is no number",
		"ATOMIC:planes=1:planes=2:error=EIO": "planes is given twice",
		"PAGE_FLIP:flag=NONBLOCK:error=EIO":  "PAGE_FLIP has no flag",
		"ADDFB2:comm=/usr/bin/weston:unplug": "is a path; write the name of the program, comm=weston",
		"ADDFB2:retval=-28":                  "write retval=0 or error=ENOSPC",
		"frame:doubled":                      "and lost for frame",
		"frame:delay=1s:unplug":              "frame cannot be delayed",
		"vblank:signal=TERM":                 "no program causes vblank",
		"ADDFB2:retval=1":                    "returns 0 or an error",
		"ADDFB2:retval=0:error=EIO":          "excludes error=",
		"ATOMIC:flag=TEST:error=EIO":         "is not a flag of MODE_ATOMIC; the flags are ALLOW_MODESET",
		"ADDFB2:lost":                        "are for the event \"event\"",
		"event:lost:doubled":                 "neither doubled",
		"event:error=EIO":                    "event cannot fail",
		"ADDFB2:step=0":                      "is not a number of vblanks",
		"ADDFB2:clock=slow":                  "is not a mode of the clock",
		"start:unplug":                       "start has no card: write unplug=CARD",
		"start#2:unplug=card0":               "a machine starts once; leave out #2",
		"SETCRTC:screenshot=a.JPG":           "a.JPG: pictures are written as PNG, not as image/jpeg; write a.png",
		"start:card=card0:unplug=card0":      "start has no card",
	} {
		r, err := Parse(text)
		if err == nil {
			t.Errorf("%q was read as %+v", text, r)
		} else if !strings.Contains(err.Error(), why) || !strings.Contains(err.Error(), Usage) {
			t.Errorf("%q: %q lacks %q or the usage", text, err, why)
		}
	}
}

// TestWhen compares each form with the events that it names.
func TestWhen(t *testing.T) {
	for text, want := range map[string]string{
		"1": "x.........", "3": "..x.......", "3+": "..xxxxxxxx", "2..4": ".xxx......",
		"2+3": ".x..x..x..", "1+2": "x.x.x.x.x.", "2..7+2": ".x.x.x....", "3..3+2": "..x.......",
	} {
		w, err := parseWhen(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got := ""
		for n := range uint64(10) {
			if w.matches(n + 1) {
				got += "x"
			} else {
				got += "."
			}
		}
		if got != want {
			t.Errorf("%s fires at %s, want %s", text, got, want)
		}
		if again, err := parseWhen(w.String()); err != nil || again.matches(3) != w.matches(3) {
			t.Errorf("%s is written as %v, %v", text, w, err)
		}
	}
}

// FuzzParse looks for rules that make the parser panic, or that are refused
// without saying how to write them.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"MODE_ATOMIC#3:handled:unplug", "ADDFB2#2+3:error=ENOSPC", "frame:connect=DP-1=New:1280x720@60,DP",
		"ATOMIC:comm=x:pid=7:property=FB_ID:crtc=38:signal=KILL:delay_exit=1", "open:screenshot=card0:DP-1=a=b:c.png",
		"a,b:when=1..2+3:before", "::", "#", "start:plug=card1", "x:unplug:x",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := Parse(text)
		switch {
		case err != nil && !strings.Contains(err.Error(), Usage):
			t.Errorf("%q: %v", text, err)
		case err == nil && (r.String() != text || r.When.First == 0 || r.When.Step == 0 || r.Point < Before || r.Point > After):
			t.Errorf("%q was read as %+v", text, r)
		}
		if err == nil && r.Action != nil {
			again, err := parseOwnAction(r.Action.String())
			if err != nil || again != *r.Action {
				t.Errorf("%q: the action %v was read as %v, %v", text, r.Action, &again, err)
			}
		}
	})
}
