package control_test

import (
	"context"
	"fmt"
	"log"

	"github.com/udrm/udrm/control"
	"github.com/udrm/udrm/machine"
	"github.com/udrm/udrm/machine/config"
)

func Example() {
	m, err := machine.New([]config.Card{config.DefaultCard()}, machine.Options{})
	if err != nil {
		log.Fatal(err)
	}
	server, err := control.Serve(m, control.Options{Name: "example"})
	if err != nil {
		log.Fatal(err)
	}

	// In this or another process of the same user:
	path, err := control.Find("example")
	if err != nil {
		log.Fatal(err)
	}
	client := control.NewClient(path)
	card, err := client.Unplug(context.Background(), "card0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(card.Label, "is", card.State)
	_, err = client.Unplug(context.Background(), "card0")
	fmt.Println(err)

	client.Close()
	if err := server.Close(); err != nil {
		log.Fatal(err)
	}
	if err := m.Close(context.Background()); err != nil {
		log.Fatal(err)
	}
	// Output:
	// card0 is unplugged
	// unplug card0: card0 is not plugged; plug it first
}
