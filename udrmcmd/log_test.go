package udrmcmd

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
)

// TestLog checks that each line begins with the name of the command, whatever
// a program has put into a value.
func TestLog(t *testing.T) {
	var out strings.Builder
	log := newLogger("udrm", slog.LevelInfo, &out)
	log.Debug("not shown")
	log.Info("host: open", "node", "card0", "comm", "x\nudrm: \x1b[2J", "err", errors.New("no such card"))
	log.With("node", "card1").Error("two\nlines", "stack", "main.f\n\tf.go:1\n", "data", "")
	const want = `udrm: host: open node=card0 comm="x\nudrm: \x1b[2J" err="no such card"
udrm: two
udrm: lines node=card1 data=""
udrm: main.f
udrm: 	f.go:1
`
	if out.String() != want {
		t.Errorf("the log is\n%swant\n%s", &out, want)
	}
}
