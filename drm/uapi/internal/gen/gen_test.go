package main

import (
	"bytes"
	"debug/dwarf"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestUpToDate runs the generator and compares its output with the committed
// files. Other headers may add declarations, but must not lose any. Package
// uapi tests that sizes, offsets and values are the same.
func TestUpToDate(t *testing.T) {
	files, err := generate()
	if err != nil {
		t.Fatal(err)
	}
	const pkg = "../.."
	committed, err := filepath.Glob(filepath.Join(pkg, "*_gen*.go"))
	if err != nil {
		t.Fatal(err)
	}
	if len(committed) != len(files) {
		t.Errorf("the generator writes %d files, the package has %d: %v", len(files), len(committed), committed)
	}
	same := bytes.Equal(digestLines(files["headers_gen_test.go"]), digestLines(read(t, filepath.Join(pkg, "headers_gen_test.go"))))
	if !same {
		t.Log("the headers installed here are not those that the files were generated from; comparing names only")
	}
	for name, text := range files {
		old := read(t, filepath.Join(pkg, name))
		if same {
			if !bytes.Equal(old, text) {
				t.Errorf("%s is not what the generator writes: run go generate ./drm/uapi", name)
			}
			continue
		}
		have := declared(t, name, text)
		for d := range declared(t, name, old) {
			if !have[d] {
				t.Errorf("%s: with the headers installed here the generator loses %s", name, d)
			}
		}
	}
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// digestLines returns the part of the file that identifies the headers.
func digestLines(file []byte) []byte {
	_, after, _ := bytes.Cut(file, []byte("var headerDigests"))
	digests, _, _ := bytes.Cut(after, []byte("}\n\n"))
	return digests
}

// declared returns the names of constants and types in a Go file, and fields
// as Type.Field.
func declared(t *testing.T, name string, text []byte) map[string]bool {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), name, text, 0)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			return false
		case *ast.ValueSpec:
			for _, id := range n.Names {
				names[id.Name] = true
			}
		case *ast.TypeSpec:
			names[n.Name.Name] = true
			if s, ok := n.Type.(*ast.StructType); ok {
				for _, field := range s.Fields.List {
					for _, id := range field.Names {
						names[n.Name.Name+"."+id.Name] = true
					}
				}
			}
		}
		return true
	})
	return names
}

func TestGoName(t *testing.T) {
	for _, tt := range []struct{ c, want string }{
		{"drm_version", "Version"},
		{"drm_mode_card_res", "ModeCardRes"},
		{"drm_mode_modeinfo", "ModeInfo"},
		{"drm_mode_crtc_lut", "ModeCRTCLUT"},
		{"drm_mode_fb_cmd2", "ModeFBCmd2"},
		{"hdr_output_metadata", "HDROutputMetadata"},
		{"dma_buf_sync", "DMABufSync"},
		{"fb_id_ptr", "FBIDPtr"},
		{"count_crtcs", "CountCRTCs"},
		{"object_ids", "ObjectIDs"},
		{"hsync_start", "HSyncStart"},
		{"tv_sec", "TvSec"},
		{"DRM_IOCTL_MODE_GETRESOURCES", "IoctlModeGetResources"},
		{"DRM_IOCTL_MODE_ADDFB2", "IoctlModeAddFB2"},
		{"DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE", "IoctlSyncobjFDToHandle"},
		{"DRM_CLIENT_CAP_STEREO_3D", "ClientCapStereo3D"},
		{"DRM_MODE_CONNECTOR_eDP", "ModeConnectorEDP"},
		{"DRM_MODE_CONNECTOR_9PinDIN", "ModeConnector9PinDIN"},
		{"DRM_MODE_CONNECTOR_TV", "ModeConnectorTV"},
		{"DRM_MODE_CONNECTOR_VIRTUAL", "ModeConnectorVirtual"},
		{"DRM_MODE_PICTURE_ASPECT_16_9", "ModePictureAspect16_9"},
		{"DRM_EVENT_VBLANK", "EventTypeVblank"},
		{"drm_event_vblank", "EventVblank"},
		{"_DRM_VBLANK_NEXTONMISS", "VblankNextOnMiss"},
		{"DRM_FORMAT_XRGB8888_A8", "FormatXRGB8888_A8"},
		{"DRM_FORMAT_INVALID", "FormatInvalid"},
		{"DRM_FORMAT_MOD_LINEAR", "FormatModLinear"},
		{"FORMAT_BLOB_CURRENT", "FormatBlobCurrent"},
	} {
		if got := goName(tt.c); got != tt.want {
			t.Errorf("goName(%q) = %q, want %q", tt.c, got, tt.want)
		}
	}
}

// The generator must stop at C that its rules cannot express.
func TestRefused(t *testing.T) {
	u32 := &dwarf.UintType{BasicType: dwarf.BasicType{CommonType: dwarf.CommonType{ByteSize: 4}}}
	structWith := func(name string, fields ...*dwarf.StructField) *dwarf.StructType {
		return &dwarf.StructType{StructName: name, Kind: "struct", Field: fields, CommonType: dwarf.CommonType{ByteSize: 4}}
	}
	for _, tt := range []struct {
		name string
		p    probed
		want string
	}{
		{
			"names that differ in case only",
			probed{macros: []macro{{name: "DRM_IOCTL_RMFB"}, {name: "DRM_IOCTL_RM_FB"}}},
			"both DRM_IOCTL_RMFB and DRM_IOCTL_RM_FB would be called IoctlRmFB",
		},
		{
			"struct and constant of one name",
			probed{macros: []macro{{name: "DRM_THING"}}, structs: []*dwarf.StructType{structWith("drm_thing")}},
			"would be called Thing",
		},
		{
			"bit field",
			probed{structs: []*dwarf.StructType{structWith("drm_thing", &dwarf.StructField{Name: "b", Type: u32, BitSize: 3})}},
			"struct drm_thing.b is a bit field",
		},
		{
			"flexible array",
			probed{structs: []*dwarf.StructType{structWith("drm_thing", &dwarf.StructField{Name: "a", Type: &dwarf.ArrayType{Type: u32, Count: -1}})}},
			"struct drm_thing.a: an array without a length",
		},
		{
			"floating point",
			probed{structs: []*dwarf.StructType{structWith("drm_thing", &dwarf.StructField{Name: "f", Type: &dwarf.FloatType{BasicType: dwarf.BasicType{CommonType: dwarf.CommonType{Name: "double"}}}})}},
			"no Go type for double",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := newModel(&tt.p)
			if !strings.Contains(fmt.Sprint(err), tt.want) {
				t.Errorf("got error %v, want %q", err, tt.want)
			}
		})
	}
}

// Without the compiler or the headers, the error must name the packages to
// install.
func TestMissing(t *testing.T) {
	t.Run("compiler", func(t *testing.T) {
		t.Setenv("PATH", t.TempDir())
		if _, err := generate(); !strings.Contains(fmt.Sprint(err), "Debian package gcc") {
			t.Errorf("got error %v", err)
		}
	})
	t.Run("headers", func(t *testing.T) {
		defer func(old []string) { cflags = old }(cflags)
		cflags = []string{"-nostdinc"}
		if _, err := generate(); !strings.Contains(fmt.Sprint(err), "libdrm-dev, linux-libc-dev") {
			t.Errorf("got error %v", err)
		}
	})
}
