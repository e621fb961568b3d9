package config_test

import (
	"fmt"
	"log"

	"github.com/udrm/udrm/machine/config"
)

func ExampleReadFile() {
	cards, err := config.ReadFile("testdata/two-monitors.yaml")
	if err != nil {
		log.Fatal(err)
	}
	for i, card := range cards {
		fmt.Printf("card%d: %s, driver %s, %d connectors\n", i, card.Name, card.Driver, len(card.VKMS.Topology.Connectors))
	}
	// Output: card0: desk, driver vkms, 2 connectors
}

func ExampleReadFile_errors() {
	_, err := config.ReadFile("testdata/bad/empty.yaml")
	fmt.Println(err)
	// Output: testdata/bad/empty.yaml:1: the file is empty; describe cards, such as "cards: {card0: {}}"
}

func ExampleParseMonitor() {
	connector, err := config.ParseMonitor("DELL U2720Q:3840x2160@60,600x340mm,DP", 1)
	if err != nil {
		log.Fatal(err)
	}
	m := connector.Monitor
	fmt.Printf("%s, %dx%d mm, EDID of %d bytes\n", m.Modes[0].Name, m.WidthMM, m.HeightMM, len(m.EDID))
	// Output: 3840x2160, 600x340 mm, EDID of 128 bytes
}
