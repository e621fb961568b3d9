// Command lease asks a Wayland compositor for the connector that it offers for
// lease (wp_drm_lease_device_v1), and shows 10 frames on it. It keeps the lease
// until its standard input ends.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/internal/kmsclient"
)

// Requests and events that the command uses, by their numbers in the protocols.
const (
	getRegistry, bind, global                  = 1, 0, 0
	createLeaseRequest, deviceFD, newConnector = 0, 0, 1
	deviceDone                                 = 2
	connectorName, connectorID                 = 0, 2
	requestConnector, submit                   = 0, 1
	leaseFD, leaseFinished                     = 0, 1
)

const frames = 10

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "lease:", err)
		os.Exit(1)
	}
}

func run() error {
	c, err := dial()
	if err != nil {
		return err
	}
	device, err := bindDevice(c)
	if err != nil {
		return err
	}
	offers, err := offered(c, device)
	if err != nil {
		return err
	}
	for _, o := range offers {
		fmt.Println("offered", o.name)
	}
	if len(offers) != 1 {
		return fmt.Errorf("%d connectors are offered, want 1", len(offers))
	}
	fd, err := lease(c, device, offers[0])
	if err != nil {
		return err
	}
	client := kmsclient.FromFD(fd)
	if err := show(client, offers[0]); err != nil {
		return err
	}
	fmt.Println("shown", offers[0].name)
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// bindDevice binds the first device that leases connectors.
func bindDevice(c *conn) (device uint32, err error) {
	registry := c.newID()
	if err := c.send(display, getRegistry, registry); err != nil {
		return 0, err
	}
	for {
		e, err := c.read()
		if err != nil {
			return 0, err
		}
		if e.object != registry || e.opcode != global {
			continue
		}
		const wanted = "wp_drm_lease_device_v1"
		if name, kind := e.number(), e.text(); kind == wanted {
			device = c.newID()
			return device, c.send(registry, bind, name, wanted, uint32(1), device)
		}
	}
}

// An offer is a connector that the compositor offers for lease.
type offer struct {
	object uint32
	name   string
	id     uint32 // of the connector of the card
}

// offered returns what the device offers. It leaves the device's descriptor open, as
// clients do that look at the connector before they lease it.
func offered(c *conn, device uint32) (offers []*offer, err error) {
	for {
		e, err := c.read()
		if err != nil {
			return nil, err
		}
		if e.object == device {
			switch e.opcode {
			case deviceFD:
				if err := cannotCommit(kmsclient.FromFD(c.fd())); err != nil {
					return nil, err
				}
			case newConnector:
				offers = append(offers, &offer{object: e.number()})
			case deviceDone:
				return offers, nil
			}
		}
		for _, o := range offers {
			if e.object == o.object && e.opcode == connectorName {
				o.name = e.text()
			}
			if e.object == o.object && e.opcode == connectorID {
				o.id = e.number()
			}
		}
	}
}

// cannotCommit checks that the descriptor for everybody is not that of a master.
func cannotCommit(client *kmsclient.Client) error {
	r, err := client.Resources()
	if err != nil {
		return err
	}
	if err := client.Disable(r.CRTCs[0]); err == nil {
		return errors.New("the descriptor of the device can switch displays off")
	}
	return nil
}

// lease leases the connector, and returns the descriptor of the lease.
func lease(c *conn, device uint32, o *offer) (fd int, err error) {
	request, lease := c.newID(), c.newID()
	err = errors.Join(
		c.send(device, createLeaseRequest, request),
		c.send(request, requestConnector, o.object),
		c.send(request, submit, lease))
	if err != nil {
		return -1, err
	}
	for {
		e, err := c.read()
		switch {
		case err != nil:
			return -1, err
		case e.object == lease && e.opcode == leaseFinished:
			return -1, errors.New("the compositor refuses the lease")
		case e.object == lease && e.opcode == leaseFD:
			return c.fd(), nil
		}
	}
}

// show checks that the lease has the connector alone, and shows frames on it.
func show(client *kmsclient.Client, o *offer) error {
	r, err := client.Resources()
	if err != nil {
		return err
	}
	if !slices.Equal(r.Connectors, []uint32{o.id}) || len(r.CRTCs) != 1 {
		return fmt.Errorf("the lease has connectors %v and CRTCs %v, want connector %d and a CRTC", r.Connectors, r.CRTCs, o.id)
	}
	d, err := client.Display()
	if err != nil {
		return err
	}
	var buffers [2]*kmsclient.Buffer
	for i := range buffers {
		if buffers[i], err = client.NewBuffer(int(d.Mode.HDisplay), int(d.Mode.VDisplay)); err != nil {
			return err
		}
	}
	if err := client.SetCRTC(d, buffers[0].FB, d.Mode); err != nil {
		return err
	}
	for i := range frames {
		if err := client.PageFlip(d.CRTC, buffers[(i+1)%2].FB, uint64(i)); err != nil {
			return err
		}
		for shown := false; !shown; {
			events, err := client.ReadEvents(-1)
			if err != nil {
				return err
			}
			shown = slices.ContainsFunc(events, func(e uapi.EventVblank) bool {
				return e.Base.Type == uapi.EventTypeFlipComplete && e.UserData == uint64(i)
			})
		}
	}
	return nil
}
