// Package udrmtest runs DRM programs on virtual graphics cards in tests.
//
//	func TestBars(t *testing.T) {
//		m := udrmtest.New(t, udrmtest.Options{})
//		p := m.Start("modetest", "-M", "vkms", "-s", "Virtual-1:1024x768")
//		card := m.Card("card0")
//		card.WantPicture("testdata/bars.png")
//		card.Unplug()
//		p.CloseStdin()
//		p.WantExit(0)
//	}
//
// A test makes a machine with cards, starts programs on it, waits until a
// screen shows a frame or a picture, and unplugs cards or monitors when it wants
// to. Everything that the programs print is in the log of the test. The machine
// ends with the test, and so do its programs, whatever they have left behind.
// Tests may be parallel.
//
// Every method fails the test if it fails, and stops it like [testing.T.FailNow].
// So call the methods from the goroutine of the test.
//
// # Waiting
//
// Nothing here sleeps. Methods that wait do so until the screen, the program or
// the clock tells of a change, and at most for Options.Timeout.
//
// # Aiming
//
// [Machine.Aim] acts at a chosen event of a program, such as the third commit:
// it unplugs the card inside that request, or lets the request fail. A rule that
// does not fire fails the test.
//
// # Golden pictures
//
// [Screen.WantPicture] compares a screen with a PNG file. If they differ, it
// writes what it got, and a picture of the difference, beside the file. To write
// the golden pictures themselves, run go test with the flag -update. A test
// package with golden files of its own must not define that flag again: it calls
// flag.Lookup("update").
//
// # The process of the test
//
// The first machine makes the test's process the parent of the processes that
// programs leave behind (see AdoptOrphans of package host), so that they end
// with the test.
//
// Start reading at [New].
package udrmtest
