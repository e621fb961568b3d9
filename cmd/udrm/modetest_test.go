package main

import (
	"bufio"
	"bytes"
	"fmt"
	"image"
	"image/png"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// connector is the object id of the connector on every default card; see
// TestOracle.
const connector = "53"

func TestModetestShowsItsPattern(t *testing.T) {
	file := filepath.Join(t.TempDir(), "scanout.png")
	cmd := command(t, "run", "--verbose", "--at", "1s:screenshot=card0="+file, "--",
		"modetest", "-M", "vkms", "-s", connector+":1024x768")
	// modetest shows its picture until its input has a line or ends.
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	for s := bufio.NewScanner(stderr); s.Scan(); {
		fmt.Fprintln(&said, s.Text())
		if strings.Contains(s.Text(), "screenshot=card0") {
			stdin.Close()
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, &said)
	}
	picture := readPNG(t, file)
	if size := picture.Bounds().Size(); size != image.Pt(1024, 768) {
		t.Fatalf("the scanout has %v pixels", size)
	}
	if n, first := mismatches(picture, bars); n != 0 {
		t.Errorf("%d pixels of the scanout are not what modetest draws, the first at %v", n, first)
	}
}

func TestModetestFlipsAtTheModesRate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	// Twice, an odd number of frames apart: one of each picture, most times.
	files := []string{filepath.Join(dir, "1.png"), filepath.Join(dir, "2.png")}
	cmd := command(t, "run", "--at", "2s:screenshot=card0="+files[0], "--at", "2417ms:screenshot=card0="+files[1], "--",
		"modetest", "-M", "vkms", "-s", connector+":1024x768", "-v")
	keepsRate(t, cmd, os.Interrupt)
	for _, file := range files {
		picture := readPNG(t, file)
		n, first := mismatches(picture, bars)
		m, firstGrey := mismatches(picture, grey)
		if n != 0 && m != 0 {
			t.Errorf("the scanout is neither of modetest's pictures: %d pixels are not the bars', the first at %v, %d are not grey, the first at %v",
				n, first, m, firstGrey)
		}
	}
}

func TestModetestFlipsAtTheModesRateByAtomic(t *testing.T) {
	t.Parallel()
	keepsRate(t, command(t, "run", "--", "modetest", "-M", "vkms",
		"-a", "-s", connector+":1024x768", "-P", "35@45:1024x768", "-v"), os.Interrupt)
}

func TestVbltestTellsTheModesRate(t *testing.T) {
	t.Parallel()
	keepsRate(t, command(t, "run", "--", lit, "/dev/dri/card0", "vbltest", "-M", "vkms"), nil)
}

// keepsRate runs a program that prints "freq: " and the rate of the display after
// each 60 frames of 1024x768. It ends the program after enough lines: by a signal
// or, if the signal is nil, by the end of its input.
//
// On a busy machine the program is late for some lines, as in the recordings of
// the kernel (which include 42.87 Hz). The other lines have the rate of the
// display.
func keepsRate(t *testing.T, cmd *exec.Cmd, end os.Signal) {
	t.Helper()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, in := io.Pipe()
	var stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = in, io.MultiWriter(in, &stderr)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		_ = in.Close() // if it ends early, no more lines come
		close(ended)
	}()
	const enough, lines = 5, 60
	// 1024x768 has a pixel clock of 65 MHz and 1344x806 pixels in all.
	want := 65e6 / (1344 * 806)
	var said []float64
	right := 0
	for s := bufio.NewScanner(out); right < enough && len(said) < lines && s.Scan(); {
		var hertz float64
		if _, err := fmt.Sscanf(s.Text(), "freq: %fHz", &hertz); err == nil {
			said = append(said, hertz)
			if hertz > want*0.99 && hertz < want*1.01 {
				right++
			}
		}
	}
	go io.Copy(io.Discard, out)
	var status int
	if end == nil {
		stdin.Close()
	} else if err := cmd.Process.Signal(end); err != nil {
		t.Error(err)
	} else {
		status = 130
	}
	<-ended
	if got := cmd.ProcessState.ExitCode(); got != status {
		t.Errorf("the status is %d, it should be %d\n%s", got, status, &stderr)
	}
	if right < enough {
		t.Errorf("the mode has %.3f Hz, %s says %.2f\n%s", want, cmd.Args, said, &stderr)
	}
}

func readPNG(t *testing.T, file string) image.Image {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	picture, err := png.Decode(f)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return picture
}
