package srcu_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/udrm/udrm/srcu"
)

// A thermometer that can be unplugged while it is being read.
func Example() {
	present := srcu.NewDomain()
	reading := 21

	read := func() string {
		s, ok := present.Enter()
		if !ok {
			return "no thermometer"
		}
		defer s.Exit()
		return fmt.Sprintf("%d °C", reading)
	}
	fmt.Println(read())

	present.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := present.Drain(ctx); err != nil {
		fmt.Println("a reader does not stop:", err)
		return
	}
	reading = 0 // no reader is left, and none will come
	fmt.Println(read())

	// Output:
	// 21 °C
	// no thermometer
}

// A table is replaced while it is in use. The old one is cleared once every
// reader that may have seen it is done.
func ExampleDomain_Synchronize() {
	users := srcu.NewDomain()
	var table atomic.Pointer[map[string]int]
	table.Store(&map[string]int{"width": 640})

	lookUp := func(name string) int {
		s, _ := users.Enter() // this domain is never closed
		defer s.Exit()
		return (*table.Load())[name]
	}
	fmt.Println(lookUp("width"))

	old := table.Swap(&map[string]int{"width": 1024})
	if err := users.Synchronize(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	clear(*old)
	fmt.Println(lookUp("width"))

	// Output:
	// 640
	// 1024
}
