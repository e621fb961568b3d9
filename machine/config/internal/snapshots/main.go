// Command snapshots writes the snapshots of cards in testdata/snapshots, in the
// form of drm_info -j. They are made up from facts about the drivers in Linux,
// such as names, formats and limits; no card was recorded.
//
// cards.go has the facts of each card.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: snapshots DIRECTORY")
	}
	for name, card := range cards {
		data, err := json.MarshalIndent(map[string]any{"/dev/dri/card0": card.snapshot()}, "", "\t")
		if err == nil {
			err = os.WriteFile(filepath.Join(os.Args[1], name+".json"), append(oneLineEach(data), '\n'), 0o644)
		}
		if err != nil {
			log.Fatal(fmt.Errorf("%s: %w", name, err))
		}
	}
}
