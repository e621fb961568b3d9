package machine_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/exec"

	"github.com/udrm/udrm/machine"
	"github.com/udrm/udrm/machine/config"
)

func Example() {
	m, err := machine.New([]config.Card{config.DefaultCard()}, machine.Options{})
	if err != nil {
		log.Fatal(err)
	}
	ls := exec.Command("ls", "/dev/dri")
	ls.Stdout = os.Stdout
	p, err := m.Start(ls)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := p.Wait(); err != nil {
		log.Fatal(err)
	}
	if err := m.Close(context.Background()); err != nil {
		log.Fatal(err)
	}
	// Output:
	// card0
}

func ExampleCard_Unplug() {
	m, err := machine.New([]config.Card{config.DefaultCard()}, machine.Options{})
	if err != nil {
		log.Fatal(err)
	}
	card, err := m.Card("card0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s is /dev/dri/%s\n", card.Label(), card.Node())
	if err := card.Unplug(context.Background()); err != nil {
		log.Fatal(err)
	}
	fmt.Println(card.Unplug(context.Background()))
	if err := m.Close(context.Background()); err != nil {
		log.Fatal(err)
	}
	// Output:
	// card0 is /dev/dri/card0
	// card0 is not plugged
}
