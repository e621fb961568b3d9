package loglimit

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestHandler(t *testing.T) {
	var out bytes.Buffer
	h := New(slog.NewTextHandler(&out, nil), 3)
	now := time.Unix(1000, 0)
	h.now = func() time.Time { return now }
	log := slog.New(h)
	for range 10 {
		log.Info("refused")
		log.With("k", 1).Info("refused")
	}
	log.Info("other")
	log.Info("refused", "pid", 7)
	now = now.Add(time.Second)
	log.Info("refused")
	text := out.String()
	if n := strings.Count(text, "msg=refused"); n != 5 {
		t.Errorf("%d records were passed on, not 3, 1 and 1:\n%s", n, text)
	}
	if !strings.Contains(text, "msg=refused dropped=17\n") {
		t.Errorf("the log does not say that 17 records were dropped:\n%s", text)
	}
	if !strings.Contains(text, "msg=other") || !strings.Contains(text, "pid=7") {
		t.Errorf("another message is missing:\n%s", text)
	}
	if log.Enabled(t.Context(), slog.LevelDebug) {
		t.Error("debug records are enabled")
	}
}

// TestAll logs as a client does that starts a process for each record.
func TestAll(t *testing.T) {
	var out bytes.Buffer
	h := New(slog.NewTextHandler(&out, nil), 3)
	now := time.Unix(1000, 0)
	h.now = func() time.Time { return now }
	log := slog.New(h)
	for pid := range 100 {
		log.Info("refused", "pid", 1+pid)
	}
	if n := strings.Count(out.String(), "msg=refused"); n != 3*allFactor {
		t.Errorf("%d records were passed on, want %d", n, 3*allFactor)
	}
	now = now.Add(time.Second)
	log.Info("other")
	if want := "msg=other dropped=70"; !strings.Contains(out.String(), want) {
		t.Errorf("the last records do not have %q:\n%s", want, out.String()[max(0, out.Len()-200):])
	}
}
