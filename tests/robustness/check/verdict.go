package check

import (
	"fmt"
	"sort"
)

// Violation is one broken promise.
type Violation struct {
	Check string // which check fired: "kv", "realtime", "watch", ...
	Text  string // begins with the number of the invariant
}

// Verdict collects the violations of a run.
type Verdict struct {
	Violations []Violation
	PerCheck   map[string]int
}

const violationsKept = 40 // of each check

func (v *Verdict) add(check, format string, arguments ...any) {
	if v.PerCheck == nil {
		v.PerCheck = map[string]int{}
	}
	v.PerCheck[check]++
	if v.PerCheck[check] <= violationsKept {
		v.Violations = append(v.Violations, Violation{check, fmt.Sprintf(format, arguments...)})
	}
}

// Merge takes over another verdict's violations.
func (v *Verdict) Merge(other Verdict) {
	for _, found := range other.Violations {
		v.add(found.Check, "%s", found.Text)
	}
}

// Good says that nothing fired.
func (v *Verdict) Good() bool { return len(v.Violations) == 0 }

// Checks names the checks that fired.
func (v *Verdict) Checks() []string {
	var names []string
	for name := range v.PerCheck {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}
