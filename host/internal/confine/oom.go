package confine

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// When memory runs out, the kernel ends the process that uses most. What programs
// have in buffers is memory of no process, so the largest may be the host, and its
// end is that of all programs. Spare and Yield make the kernel end programs first
// (oom_score_adj of proc(5)). Children inherit both.
//
// The numbers are thousandths of all memory, or of that of the control group, that a
// process seems to use more.
const (
	spared   = -900
	yielding = 100 // more than a host uses
	maxScore = 1000
)

const scoreFile = "/proc/self/oom_score_adj"

// Spare is for the host. It wants CAP_SYS_RESOURCE: without it, nothing changes.
func Spare() { setScore(spared) }

// Yield is for the parent of programs, where Spare has no effect. A program can undo
// it for itself.
func Yield() {
	if mayLowerScore() {
		return
	}
	text, err := os.ReadFile(scoreFile)
	if err != nil {
		return
	}
	if score, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
		setScore(min(score+yielding, maxScore))
	}
}

// setScore has no effect where it is not allowed.
func setScore(score int) { _ = os.WriteFile(scoreFile, []byte(strconv.Itoa(score)), 0) }

func mayLowerScore() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	return unix.Capget(&header, &data[0]) == nil && data[0].Effective&(1<<unix.CAP_SYS_RESOURCE) != 0
}
