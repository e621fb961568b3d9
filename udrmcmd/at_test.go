package udrmcmd

import (
	"strings"
	"testing"
)

func TestTimedAction(t *testing.T) {
	for text, want := range map[string]string{
		"2s:unplug=card0":                   "2s:unplug=card0",
		"1500ms:plug=card63":                "1.5s:plug=card63",
		"0s:unbind=card1":                   "0s:unbind=card1",
		"1m:screenshot=card0=a dir/out.png": "1m0s:screenshot=card0=a dir/out.png",
		"1s:screenshot=card0:DP-1=out.png":  "1s:screenshot=card0:DP-1=out.png",
		"1s:disconnect=card1:HDMI-A-1":      "1s:disconnect=card1:HDMI-A-1",
		"1s:connect=card1:HDMI-A-1":         "1s:connect=card1:HDMI-A-1",

		"1s:connect=card0:DP-1=New:1280x720@60,300x200mm":                   "1s:connect=card0:DP-1=New:1280x720@60,300x200mm",
		"1s:connect=card0:DP-1=edid=../machine/config/testdata/monitor.bin": "1s:connect=card0:DP-1=edid=../machine/config/testdata/monitor.bin",
	} {
		var a timedAction
		if err := a.UnmarshalText([]byte(text)); err != nil {
			t.Errorf("%s: %v", text, err)
		} else if a.String() != want {
			t.Errorf("%s was read as %s", text, &a)
		}
	}
	for text, why := range map[string]string{
		"":                           "colon",
		"unplug=card0":               "colon",
		"soon:unplug=card0":          "not a time",
		"-1s:unplug=card0":           "not a time",
		"1s:unplug":                  "there is no card",
		"1s:explode=card0":           "unknown action",
		"1s:unplug=card64":           "card64",
		"1s:unplug=renderD128":       "renderD128",
		"1s:unplug=card0=out.png":    "unplug takes no monitor",
		"1s:unplug=card0:DP-1":       "unplug takes no connector",
		"1s:screenshot=card0":        "takes a file",
		"1s:wedge=card0":             "wedge takes a recovery",
		"1s:wedge=card0=reboot":      "not a recovery",
		"1s:wedge=card0:DP-1=rebind": "takes no connector",
		"1s:screenshot=card0=":       "takes a file",
		"1s:unplug=card0,2s:plug=c1": "is not a card",
		"1s:connect=card0":           "connect takes a connector, such as card0:Virtual-1",
		"1s:disconnect=card0:":       "disconnect takes a connector",
		"1s:connect=card0:DP-1=":     "connect takes a monitor",
		"1s:connect=card0:DP-1=new":  "unknown item \"new\"",

		"1s:connect=card0:DP-1=800x600,DP":    "only the monitor is written here",
		"1s:disconnect=card0:DP-1=800x600":    "disconnect takes no monitor",
		"1s:connect=card0:DP-1=edid=/no/such": "no such file",
	} {
		var a timedAction
		err := a.UnmarshalText([]byte(text))
		if err == nil {
			t.Errorf("%q was read as %s", text, &a)
		} else if !strings.Contains(err.Error(), why) || !strings.Contains(err.Error(), "TIME:ACTION=CARD") {
			t.Errorf("%q: %q lacks %q or the usage", text, err, why)
		}
	}
}
