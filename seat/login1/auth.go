package login1

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Limits of the lines before the first message.
const (
	maxLine  = 512
	maxLines = 16
)

// An auth is the conversation before the first message. The server knows the user
// of a client by the socket, so it only checks what the client says.
type auth struct {
	uid   int
	guid  string
	lines int
	began bool // with the zero byte
	asked bool // EXTERNAL, without the user, which DATA brings
	ok    bool

	passesFDs bool
}

// feed takes the bytes at the start of p that it needs. It returns how many these
// are, what to answer, and whether messages follow. Its error ends the connection.
func (a *auth) feed(p []byte) (n int, reply string, done bool, err error) {
	if !a.began && len(p) > 0 {
		if p[0] != 0 {
			return 0, "", false, errors.New("the first byte is not zero")
		}
		a.began, n = true, 1
	}
	for !done {
		line, _, found := bytes.Cut(p[n:], []byte("\r\n"))
		if !found {
			if len(line) > maxLine {
				return n, reply, false, fmt.Errorf("a line has more than %d bytes", maxLine)
			}
			return n, reply, false, nil
		}
		if a.lines++; a.lines > maxLines || len(line) > maxLine {
			return n, reply, false, fmt.Errorf("more than %d lines, or one of more than %d bytes", maxLines, maxLine)
		}
		n += len(line) + 2
		var answer string
		answer, done = a.line(string(line))
		if answer != "" {
			reply += answer + "\r\n"
		}
		if done && !a.ok {
			return n, reply, false, errors.New("BEGIN before the client has said who it is")
		}
	}
	return n, reply, done, nil
}

// line answers a line.
func (a *auth) line(line string) (answer string, done bool) {
	const rejected = "REJECTED EXTERNAL"
	command, rest, _ := strings.Cut(line, " ")
	switch command {
	case "AUTH":
		mechanism, user, given := strings.Cut(rest, " ")
		if mechanism != "EXTERNAL" {
			return rejected, false
		}
		if !given {
			a.asked = true
			return "DATA", false
		}
		return a.accept(user), false
	case "DATA":
		if !a.asked {
			return rejected, false
		}
		return a.accept(rest), false
	case "NEGOTIATE_UNIX_FD":
		if !a.ok {
			return "ERROR", false
		}
		a.passesFDs = true
		return "AGREE_UNIX_FD", false
	case "BEGIN":
		return "", true
	case "CANCEL", "ERROR":
		a.asked, a.ok = false, false
		return rejected, false
	}
	return "ERROR", false
}

// accept accepts the user of the socket, in hexadecimal digits of the decimal
// ones, or "".
func (a *auth) accept(user string) string {
	name, err := hex.DecodeString(user)
	if err != nil || len(name) > 0 && string(name) != strconv.Itoa(a.uid) {
		return "REJECTED EXTERNAL"
	}
	a.ok = true
	return "OK " + a.guid
}
