//! The forms of the dialect, one row each; then all that Go was asked, see `scripts/go_regex`.

use regex_syntax::hir::ClassUnicode;
use serde_json::Value;

use super::*;

/// A form: whether it matches the whole of a value.
const ACCEPTED: &[(&str, &str, bool)] = &[
    // Whole values, and the dot.
    ("a|b", "ab", false),
    ("a|b", "b", true),
    ("a.c", "a\nc", true),
    ("(?-s)a.c", "a\nc", false),
    ("a", "a\n", false),
    ("^a$", "a", true),
    (r"\Aa\z", "a", true),
    ("(?m)a$.^b", "a\nb", true),
    ("", "", true),
    ("(|a)", "a", true),
    // Classes are ASCII, in brackets or not.
    (r"\d", "٣", false),
    (r"[\D]", "٣", true),
    (r"\w", "é", false),
    (r"[^\w]", "é", true),
    (r"\s", "\u{a0}", false),
    (r"\s", "\u{b}", false),
    (r"[[:space:]]", "\u{b}", true),
    (r"[[:alpha:]_]+", "a_", true),
    (r"[[:^alpha:]]", "é", true),
    (r"[[:alpha]", ":", true),
    (r"a\b-\Bé", "a-é", true),
    (r"\pN", "٣", true),
    (r"\p{Greek}", "α", true),
    (r"\p{^Greek}", "α", false),
    (r"\P{greek}", "a", true),
    (r"\p{Lowercase_Letter}", "a", true),
    (r"\p{Any}", "\u{378}", true),
    (r"[\pL\d]+", "é1", true),
    // Characters that cannot be typed, or mean something.
    (r"\Qa.c\E", "abc", false),
    (r"\Qa.c", "a.c", true),
    (r"\Qab\E+", "abb", true),
    (r"a\Q\E+", "aa", true),
    (r"\0", "\0", true),
    (r"\01", "\u{1}", true),
    (r"\1234", "S4", true),
    (r"\x41\x{10FFFF}", "A\u{10ffff}", true),
    (r"\x{D800}", "\u{fffd}", false),
    (r"[a\x{D800}]", "a", true),
    (r"\x{D800}*", "", true),
    (r"\a\f\n\r\t\v", "\u{7}\u{c}\n\r\t\u{b}", true),
    (r"\<\>\_\-\#", "<>_-#", true),
    // Brackets.
    ("[]a]+", "]a", true),
    ("[^]a]", "b", true),
    ("[[]", "[", true),
    ("[a&&b]+", "a&b", true),
    ("[+--]", ",", true),
    ("[~~]", "~", true),
    ("[a-]", "-", true),
    (r"[\d-z]", "-", true),
    (r"[\x41-\x{43}]", "B", true),
    (r"[^\x00-\x{10FFFF}]", "a", false),
    ("[^a]", "\n", true),
    // Braces that count, and others.
    ("a{2,3}", "aaa", true),
    ("a{2,3}?", "aaa", true),
    ("a{0}b", "b", true),
    ("a{", "a{", true),
    ("a{1", "a{1", true),
    ("a{,5}", "a{,5}", true),
    ("a{,5}+", "a{,5}}", true),
    ("{,5}", "{,5}", true),
    ("}", "}", true),
    ("a{01}", "a{01}", true),
    ("a{1000}", "a", false),
    ("(a{10}){100}", "a", false),
    // What is repeated.
    ("^*a", "a", true),
    ("a(?i)*", "aa", true),
    ("a*(?i)*", "aa", true),
    ("(?:)*", "", true),
    // Flags, cases and names.
    ("(?i)k", "\u{212a}", true),
    ("(?i:a)b", "AB", false),
    ("a(?i)b|c", "C", true),
    ("(?i)[^k]", "\u{212a}", false),
    ("(?i)ﬅ", "ﬆ", false),
    (r"(?i)\P{Lu}", "a", false),
    ("(?)a", "a", true),
    ("(?ims-U:a)", "A", true),
    ("(?P<1a>a)(?<n>b)(?<n>c)", "abc", true),
];

/// A form that is refused, where and why.
const REFUSED: &[(&str, usize, &str)] = &[
    ("a)(b", 1, "unexpected )"),
    ("a(b|(c)", 1, "missing closing )"),
    ("a[b", 1, "missing closing ]"),
    ("[]", 0, "missing closing ]"),
    ("a[z-b]", 2, "invalid character class range: `z-b`"),
    ("[a--]", 1, "invalid character class range: `a--`"),
    (r"[a-\d]", 3, r"invalid escape sequence: `\d`"),
    ("a[[:foo:]]", 2, "invalid character class range: `[:foo:]`"),
    (r"a\", 1, "trailing backslash at end of expression"),
    (r"(a)\1", 3, r"invalid escape sequence: `\1`"),
    (r"\8", 0, r"invalid escape sequence: `\8`"),
    (r"a\C", 1, r"invalid escape sequence: `\C`"),
    (r"a\Z", 1, r"invalid escape sequence: `\Z`"),
    (r"a\E", 1, r"invalid escape sequence: `\E`"),
    (r"é\é", 2, r"invalid escape sequence: `\é`"),
    (r"\x4g", 0, r"invalid escape sequence: `\x4g`"),
    (r"\x{110000}", 0, r"invalid escape sequence: `\x{110000`"),
    (r"[\b]", 1, r"invalid escape sequence: `\b`"),
    (r"[\Qa\E]", 1, r"invalid escape sequence: `\Q`"),
    ("*a", 0, "missing argument to repetition operator: `*`"),
    ("(*)", 1, "missing argument to repetition operator: `*`"),
    ("a|*?", 2, "missing argument to repetition operator: `*?`"),
    ("(?i)+", 4, "missing argument to repetition operator: `+`"),
    ("{2}", 0, "missing argument to repetition operator: `{2}`"),
    ("a**", 1, "invalid nested repetition operator: `**`"),
    ("a*+", 1, "invalid nested repetition operator: `*+`"),
    ("ba{2}{3}", 2, "invalid nested repetition operator: `{2}{3}`"),
    ("a{1001}", 1, "invalid repeat count: `{1001}`"),
    ("a{2,1}", 1, "invalid repeat count: `{2,1}`"),
    ("(a{100}){100}", 8, "invalid repeat count: `{100}`"),
    ("(?P<é>a)", 0, "invalid named capture: `(?P<é>`"),
    ("a(?<>b)", 1, "invalid named capture: `(?<>`"),
    ("(?P<n", 0, "invalid named capture"),
    ("(?<=a)", 0, "invalid named capture"),
    ("a(?=b)", 1, "invalid or unsupported Perl syntax: `(?=`"),
    ("(?P=n)", 0, "invalid or unsupported Perl syntax: `(?P`"),
    ("(?>a)", 0, "invalid or unsupported Perl syntax: `(?>`"),
    ("(?x)", 0, "invalid or unsupported Perl syntax: `(?x`"),
    ("(?u)", 0, "invalid or unsupported Perl syntax: `(?u`"),
    ("(?R)", 0, "invalid or unsupported Perl syntax: `(?R`"),
    ("(?i-)", 0, "invalid or unsupported Perl syntax: `(?i-)`"),
    (r"a\pX", 1, r"invalid character class range: `\pX`"),
    (r"\p{L", 0, "invalid character class range"),
    (r"[\p{Alphabetic}]", 1, r"invalid character class range: `\p{Alphabetic}`"),
    (r"\p{gc=L}", 0, r"invalid character class range: `\p{gc=L}`"),
    (r"\p{sc:Greek}", 0, r"invalid character class range: `\p{sc:Greek}`"),
    (r"\p{Grek}", 0, r"invalid character class range: `\p{Grek}`"),
    (r"\p{Garay}", 0, r"invalid character class range: `\p{Garay}`"),
    (r"\p{Old_Italic}", 0, r"invalid character class range: `\p{Old_Italic}`"),
    (r"\pL{1000}", 0, "expression too large: it compiles to more than 2 MiB"),
];

#[test]
fn accepted_forms() {
    for (pattern, value, expected) in ACCEPTED {
        let compiled = Pattern::compile(pattern).unwrap_or_else(|e| panic!("{pattern}: {e}"));
        assert_eq!(compiled.is_match(value), *expected, "{pattern} on {value}");
    }
}

#[test]
fn refused_forms() {
    for (pattern, offset, message) in REFUSED {
        let error = Pattern::compile(pattern).expect_err(pattern);
        assert_eq!((error.offset, error.message.as_str()), (*offset, *message), "{pattern}");
    }
}

#[test]
fn what_go_says_of_every_form() {
    let rows = include_str!("../../../tests/data/go_regex.jsonl");
    for row in rows.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        if row.get("property").is_some() {
            same_characters(&row);
            continue;
        }
        let pattern = row["p"].as_str().unwrap();
        match (Pattern::compile(pattern), row.get("e")) {
            (Ok(pattern), None) => same_matches(&pattern, &row),
            (Err(error), Some(refusal)) => same_refusal(pattern, &error, refusal),
            (Ok(_), Some(refusal)) => panic!("{pattern}: taken, and refused by Go: {refusal}"),
            (Err(error), None) => panic!("{pattern}: {error}"),
        }
    }
}

/// As many are as many of the same, unless Unicode were to move two characters at once.
fn same_characters(row: &Value) {
    let size =
        |class: &ClassUnicode| class.iter().map(|range| (range.start()..=range.end()).count()).sum::<usize>();
    let folded = |class: &ClassUnicode| {
        let mut folded = class.clone();
        property::fold(&mut folded);
        size(&folded)
    };
    let name = row["property"].as_str().unwrap();
    let (chars, cases) = if name.is_empty() {
        let each = ('\0'..=char::MAX).map(|c| folded(&property::of_range(c.into(), c.into())));
        (('\0'..=char::MAX).count(), each.sum())
    } else {
        let class = property::property(name).unwrap_or_else(|| panic!("{name} is not known"));
        (size(&class), folded(&class))
    };
    let go = |key: &str| usize::try_from(row[key].as_u64().unwrap()).unwrap();
    assert_eq!((chars, cases), (go("chars"), go("folded")), "{name}");
}

fn same_refusal(pattern: &str, error: &PatternError, go: &Value) {
    let code = go["code"].as_str().unwrap();
    let whole = format!("{code}: `{}`", go["expr"].as_str().unwrap_or_default());
    assert!(error.message == code || error.message == whole, "{pattern}: {error}, in Go {whole}");
    if let Some(offset) = go["offset"].as_u64() {
        assert_eq!(error.offset as u64, offset, "{pattern}: {error}");
    }
}

fn same_matches(pattern: &Pattern, row: &Value) {
    let names: Vec<_> = pattern.names().iter().map(|name| name.as_deref().unwrap_or_default()).collect();
    if let Some(expected) = row.get("n") {
        assert_eq!(serde_json::json!(names), *expected, "{}", pattern.as_str());
    }
    let mut captures = pattern.new_captures();
    for tried in row["m"].as_array().unwrap() {
        let value = tried[0].as_str().unwrap();
        let found = pattern.captures(value, &mut captures).then(|| {
            let spans = (0..names.len()).map(|group| captures.get_group(group));
            let ends = spans.flat_map(|s| s.map_or([-1, -1], |s| [s.start as i64, s.end as i64]));
            serde_json::json!(ends.collect::<Vec<_>>())
        });
        assert_eq!(found.as_ref(), tried.get(1), "{} on {value:?}", pattern.as_str());
        assert_eq!(pattern.is_match(value), found.is_some(), "{} on {value:?}", pattern.as_str());
    }
}

#[test]
fn depth_is_bounded_before_the_stack_is() {
    for (open, close) in
        [("(", ")"), ("(?:", ")*"), ("(a|b", ")+?"), ("x(a|", "b(?i)*){1,}"), ("(?m:^(b", ")$)?")]
    {
        let nested = |levels: usize| format!("{}z{}", open.repeat(levels), close.repeat(levels));
        // A repetition of a group is two levels.
        assert!(Pattern::compile(&nested(80)).is_ok(), "{open}");
        let error = Pattern::compile(&nested(251)).unwrap_err();
        assert_eq!(error.message, "expression nests too deeply");
    }
    let deepest = format!("{}z{}", "(a|b.".repeat(250), "c)".repeat(250));
    assert!(Pattern::compile(&deepest).is_ok());
    assert!(matches!(shape(&deepest), Shape::Any));
    let set = regex::RegexSetBuilder::new([anchored(&deepest).unwrap()]).nest_limit(NEST_LIMIT).build();
    assert!(set.is_ok());
}

#[test]
fn size_is_bounded_while_it_is_read() {
    for pattern in [r"\pL".repeat(1000), format!("a[{}]", r"\pL".repeat(1000))] {
        let error = Pattern::compile(&pattern).unwrap_err();
        assert_eq!(error.message, "expression too large");
        assert!(error.offset < pattern.len());
    }
}

#[test]
fn a_pattern_tells_its_groups_and_its_size() {
    let pattern = Pattern::compile("(?P<n>a)(b)?(?:c)(?<n>d){0}").unwrap();
    assert_eq!(pattern.names(), [None, Some("n".into()), None, Some("n".into())]);
    assert_eq!(pattern.as_str(), "(?P<n>a)(b)?(?:c)(?<n>d){0}");
    assert!(pattern.bytes() > Pattern::compile("a").unwrap().bytes());
    let mut captures = pattern.new_captures();
    assert!(pattern.captures("ac", &mut captures));
    assert_eq!(captures.get_group(1).map(|span| span.range()), Some(0..1));
    assert_eq!((captures.get_group(2), captures.get_group(3)), (None, None));
    assert!(!pattern.captures("b", &mut captures));
    assert_eq!(captures.get_group(1), None);
}
