package udrmcmd

import (
	"runtime/debug"
	"testing"
)

func TestVersionOf(t *testing.T) {
	target := []debug.BuildSetting{{Key: "GOOS", Value: "linux"}, {Key: "GOARCH", Value: "amd64"}}
	vcs := []debug.BuildSetting{{Key: "vcs.revision", Value: "0123456789abcdef"}, {Key: "vcs.modified", Value: "true"}}
	for _, tc := range []struct {
		version  string
		settings []debug.BuildSetting
		want     string
	}{
		{"v1.2.3", target, "v1.2.3, go1.26 linux/amd64"},
		{"(devel)", target, "devel, go1.26 linux/amd64"},
		{"", append(vcs[:1:1], target...), "devel, revision 0123456789ab, go1.26 linux/amd64"},
		{"v1.2.3", append(vcs[:2:2], target...), "v1.2.3, revision 0123456789ab (modified), go1.26 linux/amd64"},
	} {
		info := &debug.BuildInfo{GoVersion: "go1.26", Main: debug.Module{Version: tc.version}, Settings: tc.settings}
		if got := versionOf(info); got != tc.want {
			t.Errorf("%q, want %q", got, tc.want)
		}
	}
}
