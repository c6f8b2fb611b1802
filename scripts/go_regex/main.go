// What Go's regexp says of each form of its dialect: go run scripts/go_regex/main.go >tests/data/go_regex.jsonl
package main

import (
	"encoding/json"
	"errors"
	"log"
	"os"
	"regexp"
	"regexp/syntax"
	"strings"
	"unsafe"
)

// row is a pattern with why it is refused, or with its group names and what it matches.
type row struct {
	Pattern string   `json:"p"`
	Refused *refusal `json:"e,omitempty"`
	Names   []string `json:"n,omitempty"`
	// Each a haystack, and if it matches where the groups are.
	Matches [][]any `json:"m,omitempty"`
}

type refusal struct {
	Code string `json:"code"`
	// Left out where Go shows the whole pattern, or nothing.
	Expr   string `json:"expr,omitempty"`
	Offset *int   `json:"offset,omitempty"`
}

func record(pattern string, haystacks []string) row {
	if _, err := syntax.Parse(pattern, syntax.Perl|syntax.DotNL); err != nil {
		return row{Pattern: pattern, Refused: refused(pattern, err)}
	}
	re, err := regexp.Compile("^(?s:" + pattern + ")$")
	if err != nil {
		// It ends within \Q.
		re = regexp.MustCompile("^(?s:" + pattern + `\E)$`)
	}
	made := row{Pattern: pattern, Names: re.SubexpNames()}
	if len(made.Names) == 1 {
		made.Names = nil
	}
	for _, haystack := range haystacks {
		match := []any{haystack}
		if found := re.FindStringSubmatchIndex(haystack); found != nil {
			match = append(match, found)
		}
		made.Matches = append(made.Matches, match)
	}
	return made
}

func refused(pattern string, err error) *refusal {
	var fault *syntax.Error
	if !errors.As(err, &fault) {
		log.Fatalf("%q: %v", pattern, err)
	}
	made := &refusal{Code: fault.Code.String()}
	switch fault.Code {
	case syntax.ErrMissingParen, syntax.ErrUnexpectedParen, syntax.ErrTrailingBackslash,
		syntax.ErrNestingDepth, syntax.ErrLarge:
		return made
	}
	// The expression is a part of the pattern, not a copy of it.
	start := uintptr(unsafe.Pointer(unsafe.StringData(pattern)))
	offset := int(uintptr(unsafe.Pointer(unsafe.StringData(fault.Expr))) - start)
	made.Expr, made.Offset = fault.Expr, &offset
	return made
}

func main() {
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	for _, form := range forms {
		parts := strings.Fields(form.patterns)
		if form.spaced != nil {
			parts = form.spaced
		}
		for _, pattern := range parts {
			if err := out.Encode(record(pattern, append(form.haystacks, "", "a", "é"))); err != nil {
				log.Fatal(err)
			}
		}
	}
}
