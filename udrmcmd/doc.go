// Package udrmcmd is the command udrm as a library: for a command that offers
// drivers of its own.
//
//	func main() {
//		udrmcmd.Main(udrmcmd.Options{
//			Name:    "mycommand",
//			Drivers: []machine.Driver{{Name: "mydriver", New: newDriver}},
//		})
//	}
//
// Such a command has everything that udrm has: run with its flags and timed
// actions, signals, screenshots, doctor, help, man page and completions. Its
// cards have the first of the drivers, unless a flag or a file names another
// one. The example examples/mycommand is complete.
//
// Messages of the command itself begin with its name. If the command itself
// fails, its exit status is 125.
//
// Lock order: pageOpener.mu, held while the page opens, comes before the locks of
// package view. The other locks are leaves.
//
// Start reading at [Main]; run.go is the command run.
package udrmcmd
