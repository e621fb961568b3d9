package aim_test

import (
	"context"
	"fmt"
	"log"
	"os/exec"
	"strings"

	"github.com/udrm/udrm/machine"
	"github.com/udrm/udrm/machine/aim"
	"github.com/udrm/udrm/machine/config"
)

// The card disappears while modetest asks for its connectors.
func Example() {
	m, err := machine.New([]config.Card{config.DefaultCard()}, machine.Options{})
	if err != nil {
		log.Fatal(err)
	}
	rule, err := aim.Parse("MODE_GETCONNECTOR:before:unplug")
	if err != nil {
		log.Fatal(err)
	}
	trigger, err := aim.Attach(m, rule, nil)
	if err != nil {
		log.Fatal(err)
	}
	modetest := exec.Command("modetest", "-M", "vkms", "-c")
	var said strings.Builder
	modetest.Stderr = &said
	p, err := m.Start(modetest)
	if err != nil {
		log.Fatal(err)
	}
	if err := trigger.Wait(context.Background()); err != nil {
		log.Fatal(err)
	}
	card, err := m.Card("card0")
	if err != nil {
		log.Fatal(err)
	}
	if _, err := p.Wait(); err != nil {
		log.Fatal(err)
	}
	fmt.Println("plugged:", card.Plugged())
	fmt.Print(&said)
	if err := trigger.Close(); err != nil {
		log.Fatal(err)
	}
	if err := m.Close(context.Background()); err != nil {
		log.Fatal(err)
	}
	// Output:
	// plugged: false
	// could not get connector 53: No such device
}
