package host

import (
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// actions are those of enum kobject_action in include/linux/kobject.h.
var actions = []string{"add", "remove", "change", "move", "online", "offline", "bind", "unbind"}

// parseSynthetic parses what a program writes to a file uevent of sysfs, as in
// the kernel's Documentation/ABI/testing/sysfs-uevent:
//
//	ACTION [UUID [KEY=VALUE ...]]
//
// It returns the action and the keys that the event gets. EINVAL if the text
// does not have this form.
func parseSynthetic(text string) (action string, env []string, err error) {
	text = strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\x00")
	action, rest, more := strings.Cut(text, " ")
	if !slices.Contains(actions, action) {
		return "", nil, unix.EINVAL
	}
	if !more {
		return action, []string{"SYNTH_UUID=0"}, nil
	}
	id, rest, more := strings.Cut(rest, " ")
	if !isUUID(id) {
		return "", nil, unix.EINVAL
	}
	env = []string{"SYNTH_UUID=" + id}
	for more {
		var pair string
		pair, rest, more = strings.Cut(rest, " ")
		key, value, ok := strings.Cut(pair, "=")
		if !ok || !isAlphanumeric(key) || !isAlphanumeric(value) {
			return "", nil, unix.EINVAL
		}
		env = append(env, "SYNTH_ARG_"+key+"="+value)
	}
	return action, env, nil
}

// isUUID reports whether s has the form 00000000-0000-0000-0000-000000000000.
func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, c := range []byte(s) {
		switch dash := i == 8 || i == 13 || i == 18 || i == 23; {
		case dash != (c == '-'), !dash && !strings.ContainsRune("0123456789abcdefABCDEF", rune(c)):
			return false
		}
	}
	return true
}

func isAlphanumeric(s string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return s != ""
}

// storeUevent returns the Store function of a file uevent. It calls send with
// the action and the keys of the event that a program asks for.
func storeUevent(send func(action string, env []string)) func(string) error {
	return func(data string) error {
		action, env, err := parseSynthetic(data)
		if err == nil {
			send(action, env)
		}
		return err
	}
}
