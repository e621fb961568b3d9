//go:build race

package main

// raceEnabled makes the tests build udrm with the race detector.
const raceEnabled = true
