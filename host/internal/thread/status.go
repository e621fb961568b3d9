package thread

import "strings"

// Status reads /proc/TID/status. It returns nil when the thread has ended.
func (t ID) Status() map[string]string {
	text, err := t.readFile("status")
	if err != nil {
		return nil
	}
	status := make(map[string]string)
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(line, ":")
		status[key] = strings.TrimSpace(value)
	}
	return status
}

// pending returns the signals that are pending for the thread.
func (t ID) pending() uint64 {
	status := t.Status()
	return parseMask([]byte(status["SigPnd"])) | parseMask([]byte(status["ShdPnd"]))
}
