package conformance

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/edid"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/mode"
	"github.com/udrm/udrm/drm/uapi"
)

var (
	addConnector    = flag.String("add-connector", "", "with -card: the `command` that adds a connector with a monitor to the card and prints its name")
	removeConnector = flag.String("remove-connector", "", "with -card: the `command` that removes a connector, whose name it gets as card0:DP-1")
	askHub          = flag.String("ask-hub", "", "send the arguments to the hub with this `socket`, print its answer, and do nothing else")
)

// useCommands gives the target the connectors of -add-connector.
func (t *Target) useCommands(card string) {
	if *addConnector == "" || *removeConnector == "" {
		return
	}
	run := func(command string, args ...string) (string, error) {
		var stderr bytes.Buffer
		cmd := exec.Command("sh", append([]string{"-c", command + ` "$@"`, "sh"}, args...)...)
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			err = fmt.Errorf("%s: %w: %s", command, err, &stderr)
		}
		return strings.TrimSpace(string(out)), err
	}
	t.AddConnector = func() (string, error) { return run(*addConnector) }
	t.RemoveConnector = func(name string) error {
		_, err := run(*removeConnector, filepath.Base(card)+":"+name)
		return err
	}
}

// A hub of DisplayPort MST is plugged into the connector of that type of a device.
type hub struct {
	display interface {
		Device() *drm.Device
		ModeConfig() *kms.ModeConfig
	}
	ports int // used so far
}

func (h *hub) add() (name string, err error) {
	timing, err := mode.For(1280, 720, 60)
	if err != nil {
		return "", err
	}
	modes := []mode.Mode{timing}
	data, err := (&edid.Monitor{Name: "Stream", Modes: modes}).Encode()
	if err != nil {
		return "", err
	}
	config := kms.ConnectorConfig{
		Type: uapi.ModeConnectorDisplayPort, Connection: uapi.ModeConnected,
		Monitor: &kms.Monitor{Modes: modes, EDID: data},
	}
	err = errors.Join(err, h.guarded(func(dev *drm.RegisteredDevice) error {
		h.ports++
		m := h.display.ModeConfig()
		root := slices.IndexFunc(m.Connectors(), func(c *kms.Connector) bool { return c.Config().Type == uapi.ModeConnectorDisplayPort })
		c, err := m.AddDynamicConnector(dev, config, fmt.Sprintf("mst:%d-%d", m.Connectors()[root].ID(), h.ports))
		if err == nil {
			name = c.Name()
		}
		return err
	}))
	return name, err
}

func (h *hub) remove(name string) error {
	return h.guarded(func(dev *drm.RegisteredDevice) error {
		m := h.display.ModeConfig()
		for _, c := range m.Connectors() {
			if c.Name() == name && c.Registered() {
				return m.RemoveConnector(dev, c)
			}
		}
		return fmt.Errorf("no connector %s", name)
	})
}

func (h *hub) guarded(f func(dev *drm.RegisteredDevice) error) error {
	var refused error
	err := h.display.Device().WithGuard(func(dev *drm.RegisteredDevice) error {
		refused = f(dev)
		return nil
	})
	return errors.Join(err, refused)
}

// serve answers programs that are started with the flags of args, as all users.
func (h *hub) serve(t *testing.T) (args []string) {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "hub")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	for dir := socket; dir != os.TempDir(); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return // closed
			}
			h.answer(c)
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
	})
	ask := program(t) + " -ask-hub " + socket
	return []string{"-add-connector", ask + " add", "-remove-connector", ask + " remove"}
}

// answer answers one request: the name of the connector, or an error after "! ".
func (h *hub) answer(c net.Conn) {
	defer c.Close()
	request, err := io.ReadAll(c)
	var name string
	switch words := strings.Fields(string(request)); {
	case err != nil:
	case len(words) == 1 && words[0] == "add":
		name, err = h.add()
	case len(words) == 2 && words[0] == "remove":
		_, name, _ = strings.Cut(words[1], ":")
		err = h.remove(name)
	default:
		err = fmt.Errorf("unknown request %q", request)
	}
	if err != nil {
		fmt.Fprintf(c, "! %v", err)
		return
	}
	fmt.Fprintln(c, name)
}

// askTheHub sends the arguments to a hub and prints its answer.
func askTheHub(socket string, args []string) error {
	c, err := net.Dial("unix", socket)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := fmt.Fprint(c, strings.Join(args, " ")); err != nil {
		return err
	}
	if err := c.(*net.UnixConn).CloseWrite(); err != nil {
		return err
	}
	answer, err := io.ReadAll(c)
	if err != nil {
		return err
	}
	if text, refused := strings.CutPrefix(string(answer), "! "); refused {
		return errors.New(text)
	}
	fmt.Print(string(answer))
	return nil
}
