package udrmcmd

import (
	"fmt"
	"runtime/debug"

	"github.com/alecthomas/kong"
)

// versionFlag prints the version and ends the command.
type versionFlag bool

// BeforeReset implements [kong.BeforeReset].
func (versionFlag) BeforeReset(k *kong.Kong, a *app) error {
	fmt.Fprintln(a.stdout, a.Name, version())
	k.Exit(0)
	return nil
}

// version returns the version of the main module with what the go command
// knows of its source, or "devel".
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	return versionOf(info)
}

func versionOf(info *debug.BuildInfo) string {
	version := info.Main.Version
	if version == "" || version == "(devel)" {
		version = "devel"
	}
	settings := make(map[string]string)
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	if revision := settings["vcs.revision"]; revision != "" {
		version += ", revision " + revision[:min(len(revision), 12)]
		if settings["vcs.modified"] == "true" {
			version += " (modified)"
		}
	}
	return fmt.Sprintf("%s, %s %s/%s", version, info.GoVersion, settings["GOOS"], settings["GOARCH"])
}
