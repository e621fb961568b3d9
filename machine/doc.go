// Package machine runs programs on virtual graphics cards and acts on the cards
// while the programs run.
//
// A [Machine] has the cards that a description lists (package config). Its
// programs see them as /dev/dri/card0 and so on, with the matching files of
// /sys. Each [Card] can be unplugged and plugged again, its driver unbound and
// bound, its monitors connected and disconnected; and it shows what is on its
// screens.
//
//	m, err := machine.New([]config.Card{config.DefaultCard()}, machine.Options{})
//	…
//	p, err := m.Start(exec.Command("modetest", "-s", "Virtual-1:1024x768", "-v"))
//	…
//	card, err := m.Card("card0")
//	…
//	err = card.WaitFrames(ctx, "", 3)
//	err = card.Unplug(ctx)
//
// # Labels and nodes
//
// A card has two names. Its label is its position in the description: "card0"
// is always the first card. Its node is the file in /dev/dri that programs
// open. Both are equal at the start. After a card was unplugged and plugged
// again, its node can be another one, as in the kernel: the new device takes the
// lowest number that is free, and the old device keeps its number as long as a
// program has it open.
//
// # Effects on the process
//
// By default a machine changes nothing of the process around it. Two options
// do: AdoptOrphans makes the process the parent of daemons that a program leaves
// behind, and RaiseGOMAXPROCS sets GOMAXPROCS. Package host tells why a command
// wants both.
//
// Lock order: Card.actions, the locks of package bus, Machine.mu, Card.mu.
//
// Start reading at [New].
package machine
