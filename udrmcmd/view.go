package udrmcmd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/alecthomas/kong"

	"github.com/udrm/udrm/control"
	"github.com/udrm/udrm/machine"
	"github.com/udrm/udrm/view"
)

// viewCmd opens the page of a running machine.
type viewCmd struct {
	machineFlag
	Address string `arg:"" optional:"" name:"addr" help:"Where to serve the page, such as 127.0.0.1:8080; default: any port of 127.0.0.1, or where it is served already."`
}

// Run prints the URL of the page. The machine serves it until it ends.
func (cmd *viewCmd) Run(a *app) error {
	return cmd.steer(a, func(ctx context.Context, c *control.Client) error {
		url, err := c.View(ctx, cmd.Address)
		if err == nil {
			_, err = fmt.Fprintln(a.stdout, url)
		}
		return err
	})
}

// A viewFlag is --view or --view=ADDR.
type viewFlag struct {
	given   bool
	address string
}

// Decode implements [kong.MapperValue].
func (f *viewFlag) Decode(ctx *kong.DecodeContext) error {
	f.given = true
	if ctx.Scan.Peek().Type != kong.FlagValueToken {
		return nil
	}
	return ctx.Scan.PopValueInto("addr", &f.address)
}

// IsBool implements [kong.BoolMapper]: the value can be missing.
func (*viewFlag) IsBool() bool { return true }

// A pageOpener opens the page of a machine when it is asked for.
type pageOpener struct {
	mu      sync.Mutex
	machine *machine.Machine // nil before serveWith and after close
	control *control.Server
	log     *slog.Logger
	page    *view.Server // or nil
}

// serveWith says what to serve.
func (o *pageOpener) serveWith(m *machine.Machine, c *control.Server, log *slog.Logger) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.machine, o.control, o.log = m, c, log
}

// open serves the page at an address, and returns its URL. There is only one
// page: "" means where it is served already.
func (o *pageOpener) open(address string) (url string, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.machine == nil {
		return "", errors.New("the machine begins or ends just now; try again")
	}
	if o.page == nil {
		if o.page, err = view.Serve(o.machine, o.control, view.Options{Address: address, Logger: o.log}); err != nil {
			return "", err
		}
	} else if address != "" && address != o.page.Address() {
		return "", fmt.Errorf("the page is at %s already; leave out the address", o.page.Address())
	}
	return o.page.URL(), nil
}

// close ends the page.
func (o *pageOpener) close() error {
	o.mu.Lock()
	o.machine = nil
	page := o.page
	o.mu.Unlock()
	if page == nil {
		return nil
	}
	return page.Close()
}
