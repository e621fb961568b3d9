package docs

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// programBlocks returns the code blocks of programs.md below a heading.
func programBlocks(t *testing.T, heading string) (blocks []string) {
	t.Helper()
	page, err := os.ReadFile("programs.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(page), "\n## "+heading+"\n")
	if !found {
		t.Fatalf("programs.md has no section %q", heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```\n").FindAllStringSubmatch(section, -1) {
		blocks = append(blocks, block[1])
	}
	return blocks
}

// TestPrograms runs the blocks of programs.md whose programs make test installs.
// Those of compositors are run by make compositors, or by hand.
func TestPrograms(t *testing.T) {
	dir := workplace(t)
	for _, block := range programBlocks(t, "modetest") {
		if out := run(t, dir, "sh", "-ec", block); !strings.Contains(out, "Virtual-1") {
			t.Errorf("modetest prints\n%s", out)
		}
	}
	lines := strings.Split(programBlocks(t, "Several cards, several monitors")[0], "\n")
	i := slices.IndexFunc(lines, func(line string) bool { return strings.Contains(line, "drm_info") })
	if out := run(t, dir, "sh", "-ec", lines[i]); !strings.Contains(out, "/dev/dri/card1") {
		t.Errorf("drm_info prints\n%s", out)
	}
}

// TestProgramBlocks checks that sh can read every block.
func TestProgramBlocks(t *testing.T) {
	page, err := os.ReadFile("programs.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, heading := range regexp.MustCompile(`(?m)^## (.*)$`).FindAllStringSubmatch(string(page), -1) {
		for _, block := range programBlocks(t, heading[1]) {
			run(t, ".", "sh", "-nc", block)
		}
	}
}
