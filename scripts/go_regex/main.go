// What Go's regexp says of each form of its dialect: go run scripts/go_regex/*.go >tests/data/go_regex.jsonl
package main

import (
	"encoding/json"
	"errors"
	"log"
	"maps"
	"os"
	"regexp"
	"regexp/syntax"
	"slices"
	"unicode"
	"unicode/utf8"
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

// property is how many characters a \p{…} has, and how many with their other cases. Without a name it is all
// characters, and each of them with its other cases.
type property struct {
	Name   string `json:"property"`
	Chars  int    `json:"chars"`
	Folded int    `json:"folded"`
}

func count(name string, table *unicode.RangeTable) property {
	made := property{Name: name}
	for c := rune(0); c <= unicode.MaxRune; c++ {
		if !utf8.ValidRune(c) {
			continue
		}
		if table == nil || unicode.Is(table, c) {
			made.Chars++
		}
		folded := false
		for other, first := c, true; first || other != c; other, first = unicode.SimpleFold(other), false {
			if table == nil {
				made.Folded++
			} else {
				folded = folded || unicode.Is(table, other)
			}
		}
		if folded {
			made.Folded++
		}
	}
	return made
}

func main() {
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	tables := maps.Clone(unicode.Categories)
	maps.Copy(tables, unicode.Scripts)
	tables[""] = nil
	for _, name := range slices.Sorted(maps.Keys(tables)) {
		if _, err := syntax.Parse(`\p{`+name+`}`, syntax.Perl); err == nil || name == "" {
			if err := out.Encode(count(name, tables[name])); err != nil {
				log.Fatal(err)
			}
		}
	}
	for _, form := range forms {
		for _, pattern := range form.patterns {
			if err := out.Encode(record(pattern, form.haystacks)); err != nil {
				log.Fatal(err)
			}
		}
	}
}
