package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// openTerminal returns both ends of a new terminal without echo.
func openTerminal(t *testing.T) (user, program *os.File) {
	t.Helper()
	user, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { user.Close() })
	fd := int(user.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal("unlocking the terminal: ", err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal("the number of the terminal: ", err)
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Close() })
	modes, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	modes.Lflag &^= unix.ECHO
	modes.Oflag &^= unix.OPOST
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, modes); err != nil {
		t.Fatal(err)
	}
	return user, program
}

// TestTerminal types at a terminal. The program gets the input, and gets each
// Ctrl-C once, although the terminal sends it to udrm as well.
func TestTerminal(t *testing.T) {
	user, program := openTerminal(t)
	cmd := command(t, "run", "--", "sh", "-c", `
		trap 'n=$((n + 1)); echo interrupted' INT
		tty -s && echo ready
		until [ "$line" = end ]; do read line; done
		echo $n; exit 3`)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = program, program, program
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	program.Close()
	lines := bufio.NewScanner(user)
	for _, step := range []struct{ typed, want string }{
		{"", "ready"},
		{"\x03", "interrupted"},
		{"\x03", "interrupted"},
		{"end\n", "2"},
	} {
		if _, err := user.WriteString(step.typed); err != nil {
			t.Fatal(err)
		}
		if !lines.Scan() || strings.TrimSpace(lines.Text()) != step.want {
			t.Errorf("after %q the program said %q, want %q", step.typed, lines.Text(), step.want)
		}
	}
	cmd.Wait()
	if status := cmd.ProcessState.ExitCode(); status != 3 {
		t.Errorf("exit status %d, want the program's 3", status)
	}
}
