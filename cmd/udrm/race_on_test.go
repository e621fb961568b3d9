//go:build race

package main

// raceEnabled says that udrm itself is tested with the race detector as well.
const raceEnabled = true
