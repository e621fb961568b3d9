package report_test

import (
	"fmt"

	"github.com/udrm/udrm/machine/report"
)

func ExampleParse() {
	rule, err := report.Parse("frames:card0:DP-1>=60")
	fmt.Println(rule, err)
	_, err = report.Parse("frames:gpu>=60")
	fmt.Println(err)
	// Output:
	// frames:card0:DP-1>=60 <nil>
	// "frames:gpu>=60": "gpu" is not a card: cards are card0 to card63
}
