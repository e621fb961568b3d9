package thread

import (
	"bytes"
	"strconv"
)

// ControllingTerminal returns the device number of the controlling terminal of
// the thread's process. It is 0 if there is none, or if the thread has ended.
func (t ID) ControllingTerminal() uint64 {
	text, err := t.readFile("stat")
	if err != nil {
		return 0
	}
	// The command, in parentheses, may contain anything.
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	const terminalField = 4 // after state, ppid, pgrp and session
	if len(fields) <= terminalField {
		return 0
	}
	device, err := strconv.ParseInt(string(fields[terminalField]), 10, 32)
	if err != nil {
		return 0
	}
	return uint64(uint32(device))
}
