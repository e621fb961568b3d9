// Command gen writes the generated files of package uapi from the C headers
// that declare the DRM uAPI.
//
// It does not parse C. The preprocessor lists the macros that the headers
// define, in order. The compiler evaluates them, and describes the structs in
// its debugging information. The steps:
//
//   - headers.go names the inputs and selects the parts of each;
//   - probe.go compiles a C file and reads the object file;
//   - names.go turns C names into Go names;
//   - emit.go writes the Go files.
//
// Package uapi's documentation states the naming rules for its readers.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("gen: ")
	out := flag.String("o", ".", "write the Go files into this `directory`")
	flag.Parse()

	files, err := generate()
	if err != nil {
		log.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(*out, name), text, 0o666); err != nil {
			log.Fatal(err)
		}
	}
}

// generate returns the generated files by name. The same headers give the same
// bytes, with any compiler and on any 64-bit machine whose ioctl numbers use
// the generic encoding.
func generate() (map[string][]byte, error) {
	dir, err := os.MkdirTemp("", "udrm-uapi-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)

	p, err := probe(dir)
	if err != nil {
		return nil, err
	}
	m, err := newModel(p)
	if err != nil {
		return nil, fmt.Errorf("%w (the lists are in headers.go and names.go)", err)
	}
	return m.emit()
}
