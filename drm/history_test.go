package drm_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
)

const (
	historyCards   = 2
	historyOwners  = 2 // of each card; they plug and unplug it
	historyRounds  = 3 // devices that each owner plugs
	historyClients = 6
	historyEnters  = 12 // guards that each client asks each device for, at most
)

// TestHistories checks that histories of real devices obey the specification.
func TestHistories(t *testing.T) {
	for _, procs := range []int{1, 2, 8} {
		t.Run(fmt.Sprintf("procs=%d", procs), func(t *testing.T) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
			seen := make(map[string]int)
			for range 40 {
				ops := recordHistory(t, historyMutation{})
				if result, why := checkHistory(ops); result != porcupine.Ok {
					t.Fatalf("a history of %d steps does not obey the specification (%s):\n%s", len(ops), result, why)
				}
				for _, op := range ops {
					seen[fmt.Sprint(op.Input.(historyInput).step, " ", op.Output)]++
				}
			}
			// Histories in which nothing happens obey every specification.
			for _, outcome := range []string{
				"add done", "add failed", "register done", "register failed",
				"enter done", "enter not registered", "enter unplugged",
				"use done", "exit done", "stop done", "drain done", "release done", "drop done",
			} {
				if seen[outcome] == 0 {
					t.Errorf("no history has the step %q", outcome)
				}
			}
			t.Log(seen)
		})
	}
}

// historySearch limits the search for an order, which usually takes
// milliseconds. To find that there is no order can take exponential time:
// minutes were seen. The result is Unknown then.
const historySearch = 20 * time.Second

// checkHistory returns whether the steps obey the specification, and if not,
// which steps do not fit.
func checkHistory(ops []porcupine.Operation) (porcupine.CheckResult, string) {
	result, info := porcupine.CheckOperationsVerbose(historyModel, ops, historySearch)
	if result == porcupine.Ok {
		return result, ""
	}
	var why strings.Builder
	for card, linearizations := range info.PartialLinearizationsOperations() {
		var longest []porcupine.Operation
		for _, l := range linearizations {
			if len(l) > len(longest) {
				longest = l
			}
		}
		left := slices.DeleteFunc(slices.Clone(ops), func(op porcupine.Operation) bool {
			return op.Input.(historyInput).card != card || slices.Contains(longest, op)
		})
		if len(left) == 0 {
			continue
		}
		fmt.Fprintf(&why, "card %d: the longest order that obeys it ends with\n", card)
		for _, op := range longest[max(0, len(longest)-10):] {
			fmt.Fprintln(&why, "  ", describeStep(op))
		}
		fmt.Fprintln(&why, "and none of the next can follow:")
		for _, op := range left[:min(10, len(left))] {
			fmt.Fprintln(&why, "  ", describeStep(op))
		}
	}
	return result, why.String()
}

func describeStep(op porcupine.Operation) string {
	return fmt.Sprintf("%6d to %6d: %s", op.Call, op.Return, historyModel.DescribeOperation(op.Input, op.Output))
}

// A history is being recorded. Its time is a counter: clocks of two processors
// may differ, and two readings of one may be the same.
type history struct {
	t        *testing.T
	mutation historyMutation
	bus      *bus.Bus
	class    *drm.Class
	cards    [historyCards]historyCard
	time     atomic.Int64
	over     atomic.Bool

	mu  sync.Mutex
	ops []porcupine.Operation
}

type historyCard struct {
	devices atomic.Int64 // how many there were so far
	newest  atomic.Pointer[historyDevice]
}

// A historyDevice is one device of a card, from its parent's coming to its
// going.
type historyDevice struct {
	history      *history
	card, number int
	parent       *bus.Device
	unregistered *drm.UnregisteredDevice
	registering  atomic.Bool
	registration atomic.Pointer[drm.Registration]
	alive        atomic.Bool            // what a use of the hardware sees
	asked        atomic.Int64           // guards that clients have asked for
	inside       [historyClients]func() // what the ioctl of each client does
}

func (h *history) record(call, ret int64, in historyInput, out historyOutput) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops = append(h.ops, porcupine.Operation{Input: in, Call: call, Output: out, Return: ret})
}

func (h *history) now() int64 { return h.time.Add(1) }

// did records steps that are somewhere between call and now.
func (d *historyDevice) did(call int64, out historyOutput, steps ...historyStep) {
	ret := d.history.now()
	for _, step := range steps {
		d.history.record(call, ret, historyInput{d.card, d.number, step}, out)
	}
}

// recordHistory runs owners and clients of cards, and returns what they saw.
func recordHistory(t *testing.T, m historyMutation) []porcupine.Operation {
	h := &history{t: t, mutation: m, bus: bus.New("platform"), class: drm.NewClass(drm.ClassOptions{})}
	var owners, others sync.WaitGroup
	for card := range h.cards {
		for range historyOwners {
			owners.Go(func() { h.own(card, &others) })
		}
	}
	for kind := range historyClients {
		others.Go(func() { h.use(kind) })
	}
	owners.Wait()
	h.over.Store(true)
	others.Wait()
	return h.ops
}

// own plugs devices of the card and unplugs them, while another owner tries to.
func (h *history) own(card int, others *sync.WaitGroup) {
	for range historyRounds {
		d := h.plug(card)
		register := sync.OnceFunc(func() { others.Go(d.register) })
		if rand.IntN(4) != 0 {
			register()
		}
		for enough := rand.Int64N(historyClients * historyEnters / 2); d.asked.Load() < enough; {
			runtime.Gosched()
		}
		register()
		d.unplug(others)
	}
}

// plug makes the next device of the card, as soon as its name is free.
func (h *history) plug(card int) *historyDevice {
	for refusals := 0; ; refusals++ {
		call := h.now()
		parent, err := h.bus.Add(fmt.Sprintf("toy.%d", card))
		ret := h.now()
		if errors.Is(err, unix.EEXIST) {
			if refusals < 3 {
				h.record(call, ret, historyInput{card, 0, stepAdd}, failed)
			}
			runtime.Gosched()
			continue
		}
		d := &historyDevice{history: h, card: card, number: int(h.cards[card].devices.Add(1)), parent: parent}
		h.record(call, ret, historyInput{card, d.number, stepAdd}, done)
		if err := errors.Join(err, parent.Bind(&bus.Driver{Name: "toy", Probe: d.probe})); err != nil {
			h.t.Error(err)
		}
		return d
	}
}

func (d *historyDevice) probe(parent *bus.BoundDevice) (err error) {
	if !d.history.mutation.hardwareGoesFirst {
		d.addHardware(parent)
	}
	inside := toyIoctl(0, 0, func(_ *drm.RegisteredDevice, req *drm.Request) error {
		d.inside[req.Client().PID]()
		return nil
	})
	d.unregistered, err = drm.NewDevice(d.history.class, &drm.Driver{Ioctls: []drm.Ioctl{inside}}, parent, nil)
	if err != nil {
		return err
	}
	if rand.IntN(8) == 0 {
		if err := d.unregistered.Attach(&part{register: func(*drm.RegisteredDevice) error {
			runtime.Gosched()
			return unix.EIO
		}}); err != nil {
			return err
		}
	}
	d.history.cards[d.card].newest.Store(d)
	if d.history.mutation.hardwareGoesFirst {
		d.register()
		d.addHardware(parent)
	} else if rand.IntN(4) == 0 {
		d.register()
	}
	return nil
}

func (d *historyDevice) addHardware(parent *bus.BoundDevice) {
	d.alive.Store(true)
	if _, err := parent.Devres().Add("hardware", func() {
		call := d.history.now()
		d.alive.Store(false)
		d.did(call, done, stepRelease)
	}); err != nil {
		d.history.t.Error(err)
	}
}

// register registers the device, the first time that it is called.
func (d *historyDevice) register() {
	if d.registering.Swap(true) {
		return
	}
	call := d.history.now()
	registration, err := d.unregistered.Register(nil)
	switch {
	case err == nil:
		d.did(call, done, stepRegister)
		d.registration.Store(registration)
	case errors.Is(err, drm.ErrUnplugged), errors.Is(err, unix.EIO):
		d.did(call, failed, stepRegister, stepStop, stepDrain)
	default:
		d.history.t.Error(err)
	}
}

// unplug ends the device in one of the possible ways, or in several at once.
func (d *historyDevice) unplug(others *sync.WaitGroup) {
	var closers sync.WaitGroup
	defer closers.Wait()
	if registration := d.registration.Load(); registration != nil && rand.IntN(2) == 0 {
		closers.Go(func() {
			call := d.history.now()
			if d.history.mutation.closeWithoutDrain {
				others.Go(func() { _ = registration.Close(context.Background()) })
			} else if err := registration.Close(context.Background()); err != nil {
				d.history.t.Error(err)
			}
			d.did(call, done, stepStop, stepDrain)
		})
		if rand.IntN(2) == 0 {
			closers.Wait()
		}
	}
	if rand.IntN(2) == 0 {
		closers.Go(func() {
			call := d.history.now()
			if err := d.parent.Unbind(context.Background()); err != nil && !errors.Is(err, unix.ENODEV) {
				d.history.t.Error(err)
			}
			d.did(call, done, stepStop, stepDrain)
		})
	}
	call := d.history.now()
	if err := d.parent.Remove(context.Background()); err != nil {
		d.history.t.Error(err)
	}
	d.did(call, done, stepStop, stepDrain, stepDrop)
}

// use asks the newest devices for guards, in the way of the client.
func (h *history) use(client int) {
	asked := make(map[*historyDevice]int)
	for !h.over.Load() {
		d := h.cards[rand.IntN(historyCards)].newest.Load()
		if d == nil || asked[d] == historyEnters {
			runtime.Gosched()
			continue
		}
		asked[d]++
		d.asked.Add(1)
		switch client % 3 {
		case 0:
			d.useGuard()
		case 1:
			d.useWithGuard()
		default:
			d.useIoctl(client)
		}
	}
}

func (d *historyDevice) useGuard() {
	enter := realEnter
	if d.history.mutation.enter != nil {
		enter = d.history.mutation.enter
	}
	call := d.history.now()
	exit, err := enter(d.unregistered.Device())
	d.did(call, historyOutcome(err), stepEnter)
	if err != nil {
		return
	}
	d.useHardware()
	call = d.history.now()
	exit()
	d.did(call, done, stepExit)
}

func realEnter(dev *drm.Device) (exit func(), err error) {
	guard, err := dev.RegistrationGuard()
	return func() { guard.Exit() }, err
}

func (d *historyDevice) useWithGuard() {
	call := d.history.now()
	err := d.unregistered.Device().WithGuard(func(*drm.RegisteredDevice) error {
		d.did(call, done, stepEnter)
		d.useHardware()
		call = d.history.now()
		return nil
	})
	if err != nil {
		d.did(call, historyOutcome(err), stepEnter)
		return
	}
	d.did(call, done, stepExit)
}

func (d *historyDevice) useIoctl(client int) {
	begin := d.history.now()
	c, err := drmtest.OpenAs(d.unregistered.Device().Primary(), drm.Client{PID: client})
	if err != nil {
		d.did(begin, historyOutcome(err), stepEnter)
		return
	}
	defer c.File.Close()
	var end int64
	begin = d.history.now()
	d.inside[client] = func() {
		d.did(begin, done, stepEnter)
		d.useHardware()
		end = d.history.now()
	}
	switch err := call(c, 0); {
	case err == nil:
		d.did(end, done, stepExit)
	case errors.Is(err, unix.ENODEV):
		d.did(begin, unplugged, stepEnter) // it was registered: it could be opened
	default:
		d.history.t.Error(err)
	}
}

func (d *historyDevice) useHardware() {
	begin := d.history.now()
	out := failed
	if d.alive.Load() {
		out = done
	}
	d.did(begin, out, stepUse)
	for range rand.IntN(4) {
		runtime.Gosched()
	}
}

func historyOutcome(err error) historyOutput {
	switch {
	case err == nil:
		return done
	case errors.Is(err, drm.ErrNotRegistered):
		return notRegistered
	case errors.Is(err, drm.ErrUnplugged):
		return unplugged
	}
	return failed
}
