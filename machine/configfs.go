package machine

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/configfs"
	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/machine/config"
)

// newConfigfs returns the configfs of a machine, in which programs make cards. It
// is nil if a card is the vkms of Linux 6.12, which has none.
func (m *Machine) newConfigfs(cards []config.Card) *configfs.FS {
	if m.opts.Template != nil {
		cards = append(cards[:len(cards):len(cards)], *m.opts.Template)
	}
	for _, c := range cards {
		if c.Driver == config.VKMS && c.VKMS.Kernel == drm.Linux612 {
			return nil
		}
	}
	return configfs.New(vkms.ConfigfsItem(m.makeConfigured))
}

// A configured is a card that a program has made in configfs.
type configured struct{ *Card }

// makeConfigured makes a card with the first label that is free.
func (m *Machine) makeConfigured(name string, display vkms.Config) (vkms.Live, error) {
	b := m.Bus(display.Bus())
	if b.Device(name) != nil {
		return nil, fmt.Errorf("machine: there is a device %s on bus %s: %w", name, b.Name(), unix.EEXIST)
	}
	c, err := m.addConfigured(config.Card{Name: name, Driver: config.VKMS, Enabled: true, VKMS: display})
	if err != nil {
		return nil, err
	}
	if err := c.Plug(context.Background()); err != nil {
		m.forget(c)
		return nil, err
	}
	return configured{c}, nil
}

func (m *Machine) addConfigured(description config.Card) (*Card, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range config.MaxCards {
		if label := fmt.Sprintf("card%d", i); m.cards[label] == nil {
			c := m.newCard(label, description, 0)
			c.device = description.Name
			m.cards[label] = c
			return c, nil
		}
	}
	return nil, fmt.Errorf("machine: there are %d cards already: %w", config.MaxCards, unix.ENOSPC)
}

// forget removes a card that a program has made.
func (m *Machine) forget(c *Card) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.cards, c.label)
}

// SetStatus implements [vkms.Live].
func (c configured) SetStatus(connector int, status uint32) error {
	display, _, err := c.display()
	if err != nil {
		return errors.Join(err, unix.ENODEV)
	}
	return c.hotplug(plugs(display)[connector].Name(), status, nil)
}

// Remove implements [vkms.Live]. A program may have unbound or removed the card
// already.
func (c configured) Remove() error {
	ctx := context.Background()
	if dev, err := c.onBus(); err == nil {
		if dev.Driver() != "" {
			_ = dev.Unbind(ctx)
		}
		_ = c.Unplug(ctx)
	}
	c.machine.forget(c.Card)
	return nil
}
