package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// templates tries every spelling of a reference, as replacement and as target, on groups that are there, that did
// not take part in the match and that do not exist.
func templates() []question {
	spellings := []string{
		"$0", "$1", "$2", "$3", "$4", "$9", "$10", "$99999999", "$100000000", "$99999999999999999999",
		"${0}", "${1}", "${2}", "${3}", "${10}", "${99999999999999999999}",
		"$$", "$$1", "$$$1", "$$$$", "${$}", "$${1}", "$ 1", "$-", "$.", "$/1", "$", "x$", "$1$", "${", "${}", "${1", "$}", "}",
		"${ 1}", "${1 }", "${-1}", "$-1", "${1-2}", "${1.2}", "${1}${2}", "$1$2", "$1-$2", "${1-$2}", "${$1}", "{$1}",
		"$1x", "${1}x", "$1_", "$1_$2", "${1x}", "$x1", "$_", "$_1", "$__", "$01", "${01}", "$00", "${001}", "$1.0",
		"$name", "${name}", "$names", "${name}s", "$name-", "$Name", "${ name}", "$rest", "${rest}", "$7up", "${7up}",
		"$é", "${é}", "$1é", "${1}é", "$ñame", "$日本", "$1日", "$١", "$²", "$ⅷ", "$1²", "${1}²", "$😀", "$1😀", "$\u0301",
		`\1`, `\$1`, "%1", "$&", "$`", "$'", "$+", "$*", "$1\n$2", "a$1b${2}c$$d", "plain", "", "ünï",
	}
	pattern := `(?P<name>[a-z]+)-(\d+)?(?:/(?<rest>.*))?`
	var all []question
	for _, spelling := range spellings {
		rules := []string{
			rule("source_labels", "[a]", "regex", quoted(pattern), "target_label", "x", "replacement", quoted(spelling)),
		}
		if spelling != "" { // refused as a target
			rules = append(rules, rule("source_labels", "[a]", "regex", quoted(pattern),
				"target_label", quoted(spelling), "replacement", "hit"))
		}
		all = append(all, question{
			Name:  "template/" + spelling,
			Rules: strings.Join(rules, ""),
			Series: []labelSet{
				{"a": "web-7/x", "x": "old"},
				{"a": "web-", "x": "old"},
				{"a": "no match", "x": "old"},
			},
		})
	}
	return all
}

// hashes tries the hash on values of all lengths around the block size of MD5, and moduli up to the largest.
func hashes() []question {
	moduli := []string{
		"1", "2", "3", "7", "16", "100", "1000", "65536", "4294967296", "9223372036854775807",
		"9223372036854775808", "18446744073709551615",
	}
	var series []labelSet
	for _, value := range []string{"", "a", "foo", "10.0.0.1:9100", "ünïcödé", "日本", "😀", "line1\nline2", ";", "18446744073709551615"} {
		series = append(series, labelSet{"a": value})
	}
	for _, length := range []int{54, 55, 56, 63, 64, 65, 119, 120, 128} {
		series = append(series, labelSet{"a": strings.Repeat("x", length)})
	}
	var all []question
	for i, modulus := range moduli {
		on := series
		if i%4 != 3 { // the whole list for a few is enough
			on = series[i%4*3 : i%4*3+6]
		}
		all = append(all, question{
			Name:   "hashmod/modulus " + modulus,
			Rules:  rule("source_labels", "[a]", "modulus", modulus, "target_label", "shard", "action", "hashmod"),
			Series: on,
		})
	}
	return all
}

type pools struct{ *rand.Rand }

func (p pools) pick(from ...string) string { return from[p.IntN(len(from))] }

func (p pools) oneIn(n int) bool { return p.IntN(n) == 0 }

func (p pools) name() string { return p.pick("__name__", "a", "b", "c", "a_b", "job", "tmp", "ü") }

func (p pools) value() string {
	return p.pick("", "x", "foo", "bar", "foo-1", "Bar-22", "a/b", "ü-1", "l1\nl2", "foo;bar", "b", "ÄÖß")
}

func (p pools) valueRegex() string {
	return p.pick("(.*)", ".*", ".+", "foo", "foo|bar", "(foo|bar)-?([0-9]*)", "([^;]*);(.*)", "(.)(.*)", "", "(?i)(FOO|bar).*",
		"([a-zA-Z]+)(-[0-9]+)?", "(?P<n>[a-z]+)(?:-(?P<m>.+))?", "(a|ab|foo)(c|bcd|.*)", "(.+);(.+)", ".*[;/].*", "(x*)(.*?)(-.*)?", ";*",
		"[^a-z]*")
}

func (p pools) nameRegex() string {
	return p.pick("__.*", "(a|b)(.*)", "a_?(.+)?", "(.*)_b", "job|tmp", "(.+)", "[a-c]", "(.)(.*)", "(a|__name__)", "", "x_(.*)",
		"(?:.*_)?(b)")
}

func (p pools) template() string {
	return p.pick("$1", "${1}", "$2", "$1$2", "${2}_${1}", "x", "", "$0", "pre_$1", "$1_suf", "$$1", "${n}", "$m-$n", "${1}x", "$", "$3$2")
}

func (p pools) target() string {
	if p.oneIn(4) {
		return p.pick("$1", "n_$1", "${1}_x", "${2}", "$n", "$0")
	}
	return p.name()
}

func (p pools) sources() string {
	names := make([]string, 1+p.IntN(3))
	for i := range names {
		names[i] = p.name()
	}
	return "[" + strings.Join(names, ", ") + "]"
}

// maybe gives the key or leaves Prometheus to its default.
func (p pools) maybe(in int, key, value string) []string {
	if p.oneIn(in) {
		return []string{key, value}
	}
	return nil
}

func (p pools) rule() string {
	// the commoner in configs and the trickier are drawn more often
	action := p.pick("replace", "replace", "replace", "replace", "keep", "drop", "labelmap", "labelmap", "labelmap", "labeldrop",
		"labelkeep", "lowercase", "uppercase", "hashmod", "keepequal", "dropequal")
	var fields []string
	add := func(more ...string) { fields = append(fields, more...) }
	switch action {
	case "replace":
		add("source_labels", p.sources())
		add(p.maybe(4, "separator", p.pick("''", "'-'", "'::'", "'·'"))...)
		if !p.oneIn(4) {
			add("regex", quoted(p.valueRegex()))
		}
		add("target_label", quoted(p.target()))
		if !p.oneIn(4) {
			add("replacement", quoted(p.template()))
		}
		if p.oneIn(2) {
			return rule(fields...)
		}
	case "keep", "drop":
		add("source_labels", p.sources())
		if action == "keep" { // a random regex seldom matches: most series would end here
			add("regex", quoted(p.pick(".*", ".+", ".?[^F].*", "(|.+)")))
		} else {
			add("regex", quoted(p.pick("", "foo.*", "(?i)BAR.*", ".+;.+", "a|b|x", ".*[0-9]")))
		}
	case "labelmap":
		add("regex", quoted(p.nameRegex()))
		if !p.oneIn(3) {
			add("replacement", quoted(p.pick("$1", "$1_suf", "x_$1", "tmp", "$2", "$2$1", "a", "__name__", "${1}$1")))
		}
	case "labeldrop":
		add("regex", quoted(p.nameRegex()))
	case "labelkeep":
		add("regex", quoted(p.pick("[a-z].*", "__name__|.*b.*", ".*", "[^a].*", "(?:a|b|job)_?.*")))
	case "hashmod":
		add("source_labels", p.sources(), "modulus", p.pick("1", "4", "1000"), "target_label", p.name())
	default:
		add("source_labels", p.sources(), "target_label", p.name())
	}
	return rule(append(fields, "action", action)...)
}

func random(count int) []question {
	p := pools{rand.New(rand.NewPCG(20260728, 3))}
	all := make([]question, count)
	for i := range all {
		var rules strings.Builder
		for range 1 + p.IntN(6) {
			rules.WriteString(p.rule())
		}
		series := make([]labelSet, 3+p.IntN(3))
		for j := range series {
			series[j] = labelSet{"__name__": p.pick("up", "a", "foo_total")}
			for range p.IntN(6) {
				series[j][p.name()] = p.value()
			}
		}
		all[i] = question{fmt.Sprintf("random/%03d", i), rules.String(), series}
	}
	return all
}

// rule is an item of the YAML list, of keys and values that are YAML already.
func rule(fields ...string) string {
	var pairs []string
	for i := 0; i < len(fields); i += 2 {
		pairs = append(pairs, fields[i]+": "+fields[i+1])
	}
	return "- {" + strings.Join(pairs, ", ") + "}\n"
}

func quoted(text string) string {
	if strings.Contains(text, "\n") { // single quotes would fold it
		return `"` + strings.ReplaceAll(text, "\n", `\n`) + `"`
	}
	return "'" + strings.ReplaceAll(text, "'", "''") + "'"
}
