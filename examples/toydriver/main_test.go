package main

import (
	"bytes"
	"os"
	"testing"
)

func TestRun(t *testing.T) {
	for range 50 {
		if err := run(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestShort(t *testing.T) {
	source, err := os.ReadFile("toy.go")
	if err != nil {
		t.Fatal(err)
	}
	if lines := bytes.Count(source, []byte("\n")); lines >= 100 {
		t.Errorf("a complete driver is said to take less than 100 lines; toy.go has %d", lines)
	}
}
