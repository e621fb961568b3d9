package config

import (
	"go.yaml.in/yaml/v3"

	"github.com/udrm/udrm/drm/kms"
)

// The operations of colour pipelines and their curves, by their names in the
// kernel.
var (
	coloropTypes = choices[kms.ColoropType]{
		{"1D Curve", kms.Colorop1DCurve}, {"1D LUT", kms.Colorop1DLUT}, {"3x4 Matrix", kms.ColoropCTM3x4},
		{"Multiplier", kms.ColoropMultiplier}, {"3D LUT", kms.Colorop3DLUT},
	}
	curves = choices[uint32]{
		{"sRGB EOTF", kms.CurveSRGBEOTF}, {"sRGB Inverse EOTF", kms.CurveSRGBInverseEOTF},
		{"PQ 125 EOTF", kms.CurvePQ125EOTF}, {"PQ 125 Inverse EOTF", kms.CurvePQ125InverseEOTF},
		{"BT.2020 Inverse OETF", kms.CurveBT2020InverseOETF}, {"BT.2020 OETF", kms.CurveBT2020OETF},
		{"Gamma 2.2", kms.CurveGamma22}, {"Gamma 2.2 Inverse", kms.CurveGamma22Inverse},
	}
)

// The largest tables of colour pipelines, and the limit for pipelines and for the
// operations of one.
const (
	maxLUT      = 4096
	max3DLUT    = 33
	maxColorops = 16
)

// pipelines reads the colour pipelines of a plane, each a list of operations.
func (r *reader) pipelines(n *yaml.Node, path string) (list [][]kms.ColoropConfig) {
	for _, pipeline := range r.lists(n, path, "pipelines") {
		var ops []kms.ColoropConfig
		for _, op := range r.lists(pipeline, path, "operations") {
			ops = append(ops, r.colorop(op, path))
		}
		list = append(list, ops)
	}
	return list
}

// lists returns the entries of a list of anything.
func (r *reader) lists(n *yaml.Node, path, what string) []*yaml.Node {
	n = resolved(n)
	switch {
	case n.Kind != yaml.SequenceNode:
		r.fail(n, path, "expected a list of %s, found %s; write [[1D Curve, 3x4 Matrix]]", what, describe(n))
		return nil
	case len(n.Content) == 0 || len(n.Content) > maxColorops:
		r.fail(n, path, "%d %s, a plane has 1 to %d", len(n.Content), what, maxColorops)
		return nil
	}
	return n.Content
}

// colorop reads an operation: its type, or a mapping from the type to the curves
// or the size of the table.
func (r *reader) colorop(n *yaml.Node, path string) (op kms.ColoropConfig) {
	name, value := n, (*yaml.Node)(nil)
	if v := resolved(n); v.Kind == yaml.MappingNode && len(v.Content) == 2 {
		name, value = v.Content[0], v.Content[1]
	}
	before := len(r.errs)
	if choose(r, name, path, &op.Type, coloropTypes); len(r.errs) > before {
		return op
	}
	size := 0
	switch op.Type {
	case kms.Colorop1DCurve:
		if value == nil {
			op.Curves = 1<<len(curves) - 1
			return op
		}
		for _, item := range r.items(value, path) {
			var curve uint32
			choose(r, item, path, &curve, curves)
			op.Curves |= 1 << curve
		}
		if op.Curves == 0 {
			r.fail(value, path, "a 1D Curve has at least one curve; write 1D Curve: [sRGB EOTF]")
		}
		return op
	case kms.Colorop1DLUT:
		if size = 256; value != nil {
			r.int(value, path, &size, 2, maxLUT)
		}
	case kms.Colorop3DLUT:
		if size = 17; value != nil {
			r.int(value, path, &size, 2, max3DLUT)
		}
	default:
		if value != nil {
			r.fail(value, path, "this operation has no size; remove it")
		}
	}
	op.Size = uint32(size)
	return op
}
