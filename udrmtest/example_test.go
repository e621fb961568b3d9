package udrmtest_test

import (
	"image"
	"os"
	"testing"

	"github.com/udrm/udrm/udrmtest"
)

// A test can step the clock of the displays, so that it sees each frame.
func ExampleMachine_Step() {
	test := func(t *testing.T) {
		m := udrmtest.New(t, udrmtest.Options{StepClock: true})
		m.Start("modetest", "-M", "vkms", "-s", "Virtual-1:1024x768", "-v")
		m.Step(3)
		if n := m.Card("card0").Frames(); n != 3 {
			t.Errorf("%d frames after three vblanks", n)
		}
	}
	_ = test
}

// A test can unplug a monitor, and wait for what the program shows on the other.
func ExampleCard_Disconnect() {
	test := func(t *testing.T) {
		m := udrmtest.New(t, udrmtest.Options{Monitors: []string{"2560x1440,DP", "1920x1080,HDMI-A"}})
		p := m.Start("your-compositor")
		card := m.Card("card0")
		card.On("DP-1").WaitFrames(1)
		card.Disconnect("DP-1")
		card.On("HDMI-A-1").WaitPicture(func(p *image.NRGBA) bool { return p.Bounds().Dx() == 1920 })
		p.Signal(os.Interrupt)
		p.WantExit(0)
	}
	_ = test
}

// A test can aim an unplug at a request: here, the compositor has asked for its
// third page flip, and has no answer yet.
func ExampleCard_Aim() {
	test := func(t *testing.T) {
		m := udrmtest.New(t, udrmtest.Options{})
		card := m.Card("card0")
		unplug := card.Aim("MODE_PAGE_FLIP#3:handled:unplug")
		p := m.Start("your-compositor")
		unplug.Wait()
		p.WantExit(0)
	}
	_ = test
}
