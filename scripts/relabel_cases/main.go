// Records what Prometheus itself makes of relabeling rules, for the tests to be held against:
//
//	cd scripts/relabel_cases && go run . ../../tests/data
//
// writes relabel_cases.json and go_case.tsv. The output depends on nothing but this directory, so a diff after an
// update of the Prometheus module is a change of Prometheus.
package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/relabel"
	"go.yaml.in/yaml/v2" // the one Prometheus reads its config with: what it takes for a string or a number counts
)

type labelSet map[string]string

// question is a list of rules, as a user would write it, and the series it is tried on.
type question struct {
	Name   string
	Rules  string
	Series []labelSet
}

type answer struct {
	Name   string    `json:"name"`
	Rules  string    `json:"rules_yaml"`
	Valid  bool      `json:"valid"`
	Error  string    `json:"error"`
	Series []outcome `json:"series"`
}

// outcome has no Out if the series was dropped; a series without any label left is not dropped.
type outcome struct {
	In  labelSet  `json:"in"`
	Out *labelSet `json:"out"`
}

//go:embed cases.yaml
var written []byte

// tried on rules that come without series: what counts there is whether they are taken at all
var anySeries = []labelSet{{"__name__": "up", "job": "api", "a": "foo", "b": "Bar"}}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: relabel_cases DIRECTORY")
	}
	var questions []question
	if err := yaml.UnmarshalStrict(written, &questions); err != nil {
		log.Fatal(err)
	}
	questions = append(questions, templates()...)
	questions = append(questions, hashes()...)
	questions = append(questions, random(300)...)

	write(filepath.Join(os.Args[1], "relabel_cases.json"), cases(questions))
	write(filepath.Join(os.Args[1], "go_case.tsv"), caseTable())
}

func write(path string, content []byte) {
	if err := os.WriteFile(path, content, 0o644); err != nil {
		log.Fatal(err)
	}
}

// cases has one case a line, so that a diff shows which ones changed.
func cases(questions []question) []byte {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	seen := map[string]bool{}
	separator := "["
	for _, q := range questions {
		if seen[q.Name] {
			log.Fatalf("two cases are called %s", q.Name)
		}
		seen[q.Name] = true
		out.WriteString(separator + "\n")
		if err := encoder.Encode(ask(q)); err != nil {
			log.Fatal(err)
		}
		out.Truncate(out.Len() - 1) // the encoder's newline: the comma comes first
		separator = ","
	}
	out.WriteString("\n]\n")
	return out.Bytes()
}

func ask(q question) answer {
	rules, err := load(q.Rules)
	if err != nil {
		return answer{Name: q.Name, Rules: q.Rules, Error: err.Error(), Series: []outcome{}}
	}
	series := q.Series
	if series == nil {
		series = anySeries
	}
	outcomes := make([]outcome, 0, len(series))
	for _, in := range series {
		outcomes = append(outcomes, outcome{in, process(rules, in)})
	}
	return answer{Name: q.Name, Rules: q.Rules, Valid: true, Series: outcomes}
}

// load does what reading a config with these write_relabel_configs does.
func load(text string) ([]*relabel.Config, error) {
	var rules []*relabel.Config
	if err := yaml.UnmarshalStrict([]byte(text), &rules); err != nil {
		return nil, err
	}
	for _, rule := range rules {
		if rule == nil {
			return nil, errors.New("empty or null relabeling rule in remote write config")
		}
	}
	for _, rule := range rules {
		if err := rule.Validate(model.UTF8Validation); err != nil {
			return nil, err
		}
	}
	return rules, nil
}

func process(rules []*relabel.Config, in labelSet) *labelSet {
	builder := labels.NewBuilder(labels.FromMap(in))
	if !relabel.ProcessBuilder(builder, rules...) {
		return nil
	}
	out := labelSet(builder.Labels().Map())
	return &out
}

// caseTable lists every code point that Go writes differently in lower or upper case.
func caseTable() []byte {
	var out bytes.Buffer
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if r >= 0xD800 && r <= 0xDFFF {
			continue // surrogates are no code points of a string
		}
		lower, upper := strings.ToLower(string(r)), strings.ToUpper(string(r))
		if lower != string(r) || upper != string(r) {
			fmt.Fprintf(&out, "%x\t%s\t%s\n", r, hex(lower), hex(upper))
		}
	}
	return out.Bytes()
}

func hex(text string) string {
	runes := []rune(text)
	if len(runes) != 1 {
		log.Fatalf("%q is not one code point", text)
	}
	return fmt.Sprintf("%x", runes[0])
}
