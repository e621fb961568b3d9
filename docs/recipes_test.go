// Package docs tests the documentation: its recipes run as they are printed.
package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// recipe returns the code block of the document that names file in its first
// two lines, and writes it to that file in dir.
func recipe(t *testing.T, dir, document, file string) string {
	t.Helper()
	page, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```[a-z]+\n(.*?)```\n").FindAllSubmatch(page, -1)
	for _, block := range blocks {
		text := string(block[1])
		head, _, _ := strings.Cut(text, "\n\n")
		for line := range strings.SplitSeq(head, "\n") {
			name, comment := strings.CutPrefix(line, "# ")
			if !comment {
				name, comment = strings.CutPrefix(line, "// ")
			}
			if word, _, _ := strings.Cut(name, " "); comment && word == file {
				path := filepath.Join(dir, filepath.Base(file))
				if err := os.WriteFile(path, block[1], 0o755); err != nil {
					t.Fatal(err)
				}
				return text
			}
		}
	}
	t.Fatalf("%s has no code block for %s", document, file)
	return ""
}

// workplace returns an empty directory, with udrm in the PATH of the commands
// that run in it.
func workplace(t *testing.T) (dir string) {
	t.Helper()
	bin := t.TempDir()
	run(t, "..", "go", "build", "-o", bin, "./cmd/udrm")
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	return t.TempDir()
}

// run runs a command, which must succeed, and returns what it prints.
func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func TestGo(t *testing.T) {
	dir := t.TempDir()
	recipe(t, dir, "testing.md", "compositor_test.go")
	recipe(t, dir, "testing.md", "aim_test.go")
	if err := os.Mkdir(filepath.Join(dir, "testdata"), 0o755); err != nil {
		t.Fatal(err)
	}
	module(t, dir)
	run(t, dir, "go", "test", "-update", ".")
	run(t, dir, "go", "test", "-count=1", ".")
}

func TestPytest(t *testing.T) {
	dir := workplace(t)
	recipe(t, dir, "testing.md", "test_display.py")
	if out := run(t, dir, "pytest-3", "-q"); !strings.Contains(out, "3 passed") {
		t.Errorf("not all tests ran:\n%s", out)
	}
}

// pythonClient copies the client for Python to dir.
func pythonClient(t *testing.T, dir string) {
	t.Helper()
	client, err := os.ReadFile("clients/udrm.py")
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "udrm.py"), client, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestPythonClient runs a test of each method of the Python client.
func TestPythonClient(t *testing.T) {
	dir := workplace(t)
	pythonClient(t, dir)
	test, err := os.ReadFile("testdata/test_client.py")
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "test_client.py"), test, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	if out := run(t, dir, "pytest-3", "-q"); !strings.Contains(out, "7 passed") {
		t.Errorf("not all tests ran:\n%s", out)
	}
}

// TestSteering runs the tests that use the Python client.
func TestSteering(t *testing.T) {
	dir := workplace(t)
	recipe(t, dir, "testing.md", "test_steering.py")
	pythonClient(t, dir)
	if out := run(t, dir, "pytest-3", "-q"); !strings.Contains(out, "2 passed") {
		t.Errorf("not all tests ran:\n%s", out)
	}
	// The other way to the fixture.
	test, err := os.ReadFile(filepath.Join(dir, "test_steering.py"))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "test_steering.py"), []byte(strings.Replace(string(test), "from udrm import udrm_run", "#", 1)), 0o644)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "conftest.py"), []byte("pytest_plugins = [\"udrm\"]\n"), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	run(t, dir, "pytest-3", "-q")
}

func TestSteeringScripts(t *testing.T) {
	dir := workplace(t)
	recipe(t, dir, "testing.md", "steering.sh")
	recipe(t, dir, "testing.md", "curl.sh")
	for _, command := range [][]string{{"./steering.sh"}, {"udrm", "run", "--", "./curl.sh"}} {
		if out := run(t, dir, command[0], command[1:]...); !strings.Contains(out, "unplugged") {
			t.Errorf("%q: the card is not unplugged:\n%s", command, out)
		}
	}
}

func TestMeson(t *testing.T) {
	dir := workplace(t)
	build := recipe(t, dir, "testing.md", "meson.build")
	run(t, dir, "meson", "setup", "build")
	test := func(args ...string) {
		t.Helper()
		out := run(t, dir, "meson", append([]string{"test", "-C", "build"}, args...)...)
		if !regexp.MustCompile(`Ok:\s+2\b`).MatchString(out) {
			t.Errorf("meson test %q: not all tests passed:\n%s", args, out)
		}
	}
	test()
	test("--setup", "twomonitors")

	// A project that knows nothing of udrm has no setups.
	without, _, ok := strings.Cut(build, "\n# Every test")
	if !ok {
		t.Fatal("the recipe has changed: no comment before its setups")
	}
	if err := os.WriteFile(filepath.Join(dir, "meson.build"), []byte(without), 0o644); err != nil {
		t.Fatal(err)
	}
	run(t, dir, "meson", "setup", "--wipe", "build")
	test("--wrapper", "udrm run --")

	recipe(t, dir, "testing.md", "missed.sh")
	missed := exec.Command("sh", "missed.sh")
	missed.Dir = dir
	if out, err := missed.CombinedOutput(); err == nil || !regexp.MustCompile(`Fail:\s+2\b`).Match(out) {
		t.Errorf("tests whose action was missed: %v\n%s", err, out)
	}
}

func TestShellScript(t *testing.T) {
	dir := workplace(t)
	recipe(t, dir, "testing.md", "screenshot.sh")
	run(t, dir, "./screenshot.sh")
	recipe(t, dir, "testing.md", "expect.sh")
	run(t, dir, "./expect.sh")
}

// TestGitHub runs the steps of the workflow that are ours. Its first three
// steps install things, from the network.
func TestGitHub(t *testing.T) {
	dir := workplace(t)
	var workflow struct {
		Jobs map[string]struct {
			Steps []struct{ Name, Uses, Run string }
		}
	}
	if err := yaml.Unmarshal([]byte(recipe(t, dir, "testing.md", ".github/workflows/display.yaml")), &workflow); err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, step := range workflow.Jobs["test"].Steps {
		if step.Uses == "" && step.Name != "Install" {
			run(t, dir, "bash", "-e", "-c", step.Run)
			ran++
		}
	}
	if ran != 2 {
		t.Errorf("%d steps ran, want 2", ran)
	}
}

// TestKubernetes runs what the container of the Job runs, without privileges.
func TestKubernetes(t *testing.T) {
	dir := workplace(t)
	var job struct {
		Spec struct {
			Template struct {
				Spec struct {
					Containers []struct {
						Command, Args []string
					}
				}
			}
		}
	}
	if err := yaml.Unmarshal([]byte(recipe(t, dir, "testing.md", "job.yaml")), &job); err != nil {
		t.Fatal(err)
	}
	containers := job.Spec.Template.Spec.Containers
	if len(containers) != 1 {
		t.Fatalf("the Job has %d containers, want 1", len(containers))
	}
	command := append(containers[0].Command, containers[0].Args...)
	if os.Getuid() == 0 {
		if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil { // for that user to find udrm
			t.Fatal(err)
		}
		command = append([]string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs", "--bounding-set=-all"}, command...)
	}
	run(t, dir, command[0], command[1:]...)
}

// module makes dir a module that requires this one, as a user's does.
func module(t *testing.T, dir string) {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	run(t, dir, "go", "mod", "init", "example.org/user")
	run(t, dir, "go", "mod", "edit", "-require=github.com/udrm/udrm@v0.0.0", "-replace=github.com/udrm/udrm="+root)
	run(t, dir, "go", "mod", "tidy")
}

func TestThermometer(t *testing.T) {
	dir := t.TempDir()
	recipe(t, dir, "writing-a-driver.md", "thermometer.go")
	recipe(t, dir, "writing-a-driver.md", "thermometer_test.go")
	module(t, dir)
	run(t, dir, "go", "vet", ".")
	run(t, dir, "go", "test", ".")
}

func TestDisplay(t *testing.T) {
	dir := t.TempDir()
	recipe(t, dir, "writing-a-driver.md", "display.go")
	recipe(t, dir, "writing-a-driver.md", "display_test.go")
	module(t, dir)
	run(t, dir, "go", "vet", ".")
	run(t, dir, "go", "test", ".")
}
