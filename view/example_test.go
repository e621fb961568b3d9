package view_test

import (
	"context"
	"fmt"
	"log"
	"net/http"

	"github.com/udrm/udrm/control"
	"github.com/udrm/udrm/machine"
	"github.com/udrm/udrm/machine/config"
	"github.com/udrm/udrm/view"
)

func Example() {
	m, err := machine.New([]config.Card{config.DefaultCard()}, machine.Options{})
	if err != nil {
		log.Fatal(err)
	}
	server, err := control.Serve(m, control.Options{Name: "view-example"})
	if err != nil {
		log.Fatal(err)
	}
	page, err := view.Serve(m, server, view.Options{})
	if err != nil {
		log.Fatal(err)
	}

	// The URL has a token; without it, the page is refused.
	response, err := http.Get("http://" + page.Address() + "/")
	if err != nil {
		log.Fatal(err)
	}
	response.Body.Close()
	fmt.Println("without the token:", response.Status)

	if err := page.Close(); err != nil {
		log.Fatal(err)
	}
	if err := server.Close(); err != nil {
		log.Fatal(err)
	}
	if err := m.Close(context.Background()); err != nil {
		log.Fatal(err)
	}
	// Output:
	// without the token: 401 Unauthorized
}
