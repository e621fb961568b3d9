// Command seat is a compositor of one card, which it has from a seat: by seatd's
// protocol, or by that of logind with the argument "logind". It says
// "enabled" and "disabled" when its session changes, and "gone" with the number of
// a device of logind that is unplugged. It does what the lines of
// its standard input say, and prints the result:
//
//	commit       shows the next picture
//	master       sends SET_MASTER itself
//	open PATH    opens a device, and closes it again
//	switch N     switches to another session
//
// It ends at the end of its input.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/internal/kmsclient"
	"github.com/udrm/udrm/seat/seatd"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "seat:", err)
		os.Exit(1)
	}
}

// A session is one on a seat.
type session interface {
	Events() <-chan bool
	OpenDevice(path string) (fd int, id int32, err error)
	CloseDevice(id int32) error
	Disabled() error
	Switch(number int) error
	Close() error
}

func open() (session, error) {
	if len(os.Args) > 1 && os.Args[1] == "logind" {
		return openLogind()
	}
	return seatd.Dial(os.Getenv("SEATD_SOCK"))
}

func run() error {
	session, err := open()
	if err != nil {
		return err
	}
	lines := make(chan string)
	go func() {
		defer close(lines)
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			lines <- in.Text()
		}
	}()
	p := &program{session: session}
	for {
		select {
		case enabled, ok := <-session.Events():
			if !ok {
				return errors.New("the seat has ended")
			}
			if err := p.changed(enabled); err != nil {
				return err
			}
		case line, ok := <-lines:
			if !ok {
				return session.Close()
			}
			verb, argument, _ := strings.Cut(line, " ")
			fmt.Printf("%s: %s\n", line, result(p.do(verb, argument)))
		}
	}
}

func result(err error) string {
	var errno unix.Errno
	var refusal dbus.Error
	switch {
	case err == nil:
		return "done"
	case errors.As(err, &refusal):
		return refusal.Name
	case errors.As(err, &errno):
		return unix.ErrnoName(errno)
	}
	return err.Error()
}

type program struct {
	session session
	card    *kmsclient.Client
	display *kmsclient.Display
	buffer  *kmsclient.Buffer
}

// changed opens the card when the session becomes active for the first time.
func (p *program) changed(enabled bool) error {
	if !enabled {
		fmt.Println("disabled")
		return p.session.Disabled()
	}
	if p.card == nil {
		if err := p.open(); err != nil {
			return err
		}
	}
	fmt.Println("enabled")
	return nil
}

func (p *program) open() error {
	fd, _, err := p.session.OpenDevice("/dev/dri/card0")
	if err != nil {
		return err
	}
	p.card = kmsclient.FromFD(fd)
	if p.display, err = p.card.Display(); err != nil {
		return err
	}
	p.buffer, err = p.card.NewBuffer(int(p.display.Mode.HDisplay), int(p.display.Mode.VDisplay))
	return err
}

func (p *program) do(verb, argument string) error {
	switch verb {
	case "commit":
		return p.card.SetCRTC(p.display, p.buffer.FB, p.display.Mode)
	case "master":
		return p.card.Ioctl(uapi.IoctlSetMaster, 0)
	case "open":
		fd, id, err := p.session.OpenDevice(argument)
		if err != nil {
			return err
		}
		return errors.Join(p.session.CloseDevice(id), unix.Close(fd))
	case "switch":
		n, err := strconv.Atoi(argument)
		if err != nil {
			return err
		}
		return p.session.Switch(n)
	}
	return errors.New("unknown command")
}
