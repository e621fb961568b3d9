// Command udrm runs unmodified DRM programs on virtual graphics cards.
//
//	udrm run [flags] -- PROGRAM ARG…   run a program with virtual cards
//	udrm demo                          show what an unplug does, on two cards
//	udrm doctor                        check whether udrm can run on this machine
//	udrm help [TOPIC]                  help on commands, files, actions, …
//
// The command itself is package udrmcmd; its demo is package demo below this
// one.
package main

import (
	"github.com/udrm/udrm/cmd/udrm/internal/demo"
	"github.com/udrm/udrm/udrmcmd"
)

//go:generate sh -c "go run . help man >../../docs/udrm.1"
//go:generate sh -c "go run . help completion bash >../../docs/completions/udrm.bash"
//go:generate sh -c "go run . help completion zsh >../../docs/completions/_udrm"
//go:generate sh -c "go run . help completion fish >../../docs/completions/udrm.fish"

func main() {
	udrmcmd.Main(udrmcmd.Options{
		Name:    "udrm",
		Summary: "Run DRM programs on virtual graphics cards, and unplug the cards.",
		Commands: []udrmcmd.Command{
			{Name: "demo", Help: "Show what an unplug does: two cards, one of them unplugged while requests are in flight.", Args: new(demo.Command)},
			{Name: "demo-client", Hidden: true, Args: new(demo.Client)},
		},
	})
}
