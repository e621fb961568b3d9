// Command vt is a program that takes over a virtual terminal, as Xorg does: one
// that is free, by VT_OPENQRY, or that of its argument. It says which one. Then it
// says "release" and "acquired" when it gets the signals of the terminal, and does
// what the lines of its standard input say:
//
//	state        prints the terminal in the foreground
//	reldisp N    answers a release
//	activate N   switches to another terminal, and waits until it is shown
//	graphics     begins to draw
//	tty          prints what the terminal is called
//
// It ends at the end of its input.
package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Requests of linux/vt.h and linux/kd.h.
const (
	vtOpenQuery  = 0x5600
	vtSetMode    = 0x5602
	vtGetState   = 0x5603
	vtRelDisp    = 0x5605
	vtActivate   = 0x5606
	vtWaitActive = 0x5607
	kdSetMode    = 0x4b3a
	kdGraphics   = 1
	vtProcess    = 1
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "vt:", err)
		os.Exit(1)
	}
}

func run() error {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, unix.SIGUSR1, unix.SIGUSR2)
	number := 0
	if len(os.Args) > 1 {
		number, _ = strconv.Atoi(os.Args[1])
	}
	t, err := open(number)
	if err != nil {
		return err
	}
	fmt.Printf("terminal %d\n", t.number)
	lines := make(chan string)
	go func() {
		defer close(lines)
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			lines <- in.Text()
		}
	}()
	for {
		select {
		case s := <-signals:
			fmt.Println(map[os.Signal]string{unix.SIGUSR1: "release", unix.SIGUSR2: "acquired"}[s])
		case line, ok := <-lines:
			if !ok {
				return nil
			}
			verb, argument, _ := strings.Cut(line, " ")
			n, _ := strconv.Atoi(argument)
			fmt.Printf("%s: %s\n", line, t.do(verb, n))
		}
	}
}

// A terminal is the one that the program controls.
type terminal struct {
	fd     int
	number int
}

func open(number int) (*terminal, error) {
	if number == 0 {
		tty0, err := unix.Open("/dev/tty0", unix.O_WRONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, fmt.Errorf("/dev/tty0: %w", err)
		}
		defer unix.Close(tty0)
		if number, err = unix.IoctlGetInt(tty0, vtOpenQuery); err != nil {
			return nil, fmt.Errorf("VT_OPENQRY: %w", err)
		}
	}
	fd, err := unix.Open(fmt.Sprintf("/dev/tty%d", number), unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("/dev/tty%d: %w", number, err)
	}
	t := &terminal{fd, number}
	if err := t.activate(number); err != nil {
		return nil, err
	}
	mode := []byte{vtProcess, 0}
	mode = binary.NativeEndian.AppendUint16(mode, uint16(unix.SIGUSR1))
	mode = binary.NativeEndian.AppendUint16(mode, uint16(unix.SIGUSR2))
	if err := ioctl(fd, vtSetMode, append(mode, 0, 0)); err != nil {
		return nil, fmt.Errorf("VT_SETMODE: %w", err)
	}
	return t, nil
}

func (t *terminal) activate(number int) error {
	return errors.Join(unix.IoctlSetInt(t.fd, vtActivate, number), unix.IoctlSetInt(t.fd, vtWaitActive, number))
}

func (t *terminal) do(verb string, n int) string {
	var err error
	switch verb {
	case "state":
		var state [6]byte
		if err = ioctl(t.fd, vtGetState, state[:]); err == nil {
			return strconv.Itoa(int(binary.NativeEndian.Uint16(state[:])))
		}
	case "reldisp":
		err = unix.IoctlSetInt(t.fd, vtRelDisp, n)
	case "activate":
		err = t.activate(n)
	case "graphics":
		err = unix.IoctlSetInt(t.fd, kdSetMode, kdGraphics)
	case "tty":
		var name string
		var st unix.Stat_t
		if name, err = os.Readlink(fmt.Sprintf("/proc/self/fd/%d", t.fd)); err == nil {
			err = unix.Fstat(t.fd, &st)
		}
		if err == nil {
			return fmt.Sprintf("%s %d:%d", name, unix.Major(st.Rdev), unix.Minor(st.Rdev))
		}
	default:
		return "unknown command"
	}
	var errno unix.Errno
	if errors.As(err, &errno) {
		return unix.ErrnoName(errno)
	}
	return "done"
}
