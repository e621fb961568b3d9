package configfs_test

import (
	"fmt"

	"github.com/udrm/udrm/configfs"
)

// A program makes a fan, sets its speed and removes it.
func Example() {
	fans := configfs.NewItem("fans", configfs.Type{Make: func(name string) (*configfs.Item, error) {
		speed := "0\n"
		return configfs.NewItem(name, configfs.Type{
			Attributes: []configfs.Attribute{{
				Name:  "speed",
				Show:  func() string { return speed },
				Store: func(data string) error { speed = data; return nil },
			}},
			Release: func() { fmt.Println(name, "is gone") },
		}), nil
	}})
	fs := configfs.New(fans)
	fmt.Println(fs.Mkdir("fans", "front"))
	fs.Walk(configfs.Visitor{
		Dir: func(path string) { fmt.Println(path + "/") },
		File: func(path string, a configfs.Attribute) {
			fmt.Print(path, " ", a.Store("3\n"), " ", a.Show())
		},
	})
	fmt.Println(fs.Rmdir("fans"))
	fmt.Println(fs.Rmdir("fans/front"))
	// Output:
	// <nil>
	// fans/
	// fans/front/
	// fans/front/speed <nil> 3
	// configfs: rmdir fans: no mkdir has made it: operation not permitted
	// front is gone
	// <nil>
}
