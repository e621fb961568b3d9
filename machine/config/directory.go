package config

import (
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
)

// readDirectory reads the cards of a directory laid out as /config/vkms. The
// cards are in the order of their names.
func readDirectory(dir string, drivers []Driver) ([]Card, error) {
	r := &reader{file: dir, drivers: drivers, places: make(map[*yaml.Node]string)}
	tree, err := r.directory(dir)
	if err != nil {
		return nil, err
	}
	cards := r.cards(tree, "")
	if r.errs != nil {
		return nil, r.failure()
	}
	return cards, nil
}

// directory turns a directory into a mapping, and a directory of links into a
// list.
func (r *reader) directory(dir string) (*yaml.Node, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	links := strings.HasPrefix(filepath.Base(dir), "possible_")
	tree := &yaml.Node{Kind: yaml.MappingNode}
	if links {
		tree.Kind = yaml.SequenceNode
	}
	r.places[tree] = dir
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		key := &yaml.Node{Kind: yaml.ScalarNode, Value: e.Name()}
		r.places[key] = path
		if links {
			if target, err := os.Readlink(path); err == nil {
				key.Value = filepath.Base(target)
			}
			tree.Content = append(tree.Content, key)
			continue
		}
		value, err := r.attribute(path, e)
		if err != nil {
			return nil, err
		}
		tree.Content = append(tree.Content, key, value)
	}
	return tree, nil
}

// attribute reads one entry of a directory. The value of an EDID, which is
// binary, is the name of its file.
func (r *reader) attribute(path string, e os.DirEntry) (*yaml.Node, error) {
	if e.IsDir() {
		return r.directory(path)
	}
	value := &yaml.Node{Kind: yaml.ScalarNode, Value: path}
	r.places[value] = path
	if e.Name() != "edid" {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		value.Value = strings.TrimSpace(string(data))
		return value, nil
	}
	absolute, err := filepath.Abs(path)
	value.Value = absolute
	return value, err
}
