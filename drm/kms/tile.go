package kms

import (
	"fmt"
	"sync"

	"github.com/udrm/udrm/drm/edid"
)

// tileGroups numbers the groups of tiled monitors of a device (struct
// drm_tile_group). The zero value has no groups. Its mutex is a leaf: no other
// lock is taken inside it.
type tileGroups struct {
	mu     sync.Mutex
	groups []*tileGroup // by number-1; nil where free
}

// A tileGroup is a group to which at least one connector belongs.
type tileGroup struct {
	id      [9]byte
	members map[*Connector]bool
}

// property moves c to the group of the tile, or out of its group if tile is
// nil. It returns the value of the TILE property, or nil.
func (g *tileGroups) property(c *Connector, tile *edid.Tile) []byte {
	g.mu.Lock()
	defer g.mu.Unlock()
	number := 0
	if tile != nil {
		number = g.join(c, tile.Group)
	}
	g.leaveOthers(c, number)
	if tile == nil {
		return nil
	}
	single := 0
	if tile.SingleMonitor {
		single = 1
	}
	return fmt.Appendf(nil, "%d:%d:%d:%d:%d:%d:%d:%d\x00", number, single,
		tile.Columns, tile.Rows, tile.Column, tile.Row, tile.Width, tile.Height)
}

// join adds c to a group, which it creates if need be, and returns its number.
// The caller holds mu.
func (g *tileGroups) join(c *Connector, id [9]byte) (number int) {
	free := -1
	for i, group := range g.groups {
		if group == nil && free < 0 {
			free = i
		}
		if group != nil && group.id == id {
			group.members[c] = true
			return i + 1
		}
	}
	if free < 0 {
		free = len(g.groups)
		g.groups = append(g.groups, nil)
	}
	g.groups[free] = &tileGroup{id, map[*Connector]bool{c: true}}
	return free + 1
}

// leaveOthers removes c from all groups but that with the number, and removes
// empty groups. The caller holds mu.
func (g *tileGroups) leaveOthers(c *Connector, number int) {
	for i, group := range g.groups {
		if group == nil || i+1 == number {
			continue
		}
		delete(group.members, c)
		if len(group.members) == 0 {
			g.groups[i] = nil
		}
	}
}
