use proptest::prelude::*;

use super::*;

/// What a node is, in one line, with its places; what is cut has `…` at its end.
fn shown(node: &Node<'_>) -> String {
    let place = format!("{}:{}", node.position.line, node.position.column);
    let end = if node.cut { "…" } else { "" };
    let all = |parts: Vec<String>| parts.join(", ");
    match &node.kind {
        Kind::Scalar { text, plain: true } => format!("{place} {text}{end}"),
        Kind::Scalar { text, .. } => format!("{place} {text:?}{end}"),
        Kind::List(items) => format!("{place} [{}{end}]", all(items.iter().map(shown).collect())),
        Kind::Mapping(entries) => {
            let entries = entries.iter().map(|(key, value)| format!("{}: {}", shown(key), shown(value)));
            format!("{place} {{{}{end}}}", all(entries.collect()))
        }
        Kind::Anchored(node) => format!("&{}", shown(node)),
        Kind::Alias(node) => format!("{place} *{}", shown(node)),
    }
}

fn documents(tree: &Tree<'_>) -> Vec<String> {
    tree.documents.iter().map(shown).collect()
}

fn failure(tree: &Tree<'_>) -> Option<(u32, u32, String)> {
    let failure = tree.failure.clone()?;
    Some((failure.position.line, failure.position.column, failure.message))
}

#[test]
fn a_text_becomes_nodes_with_their_places() {
    let text = "\u{feff}a: &x [ 1, \"2\" ]\r\nb: *x\r\nc:\r\n- |\r\n  two\r\n  lines\r\n- >-\r\n  one\r\n  line\r\n-\r\n";
    let tree = own(text);
    assert_eq!(failure(&tree), None);
    assert_eq!(
        documents(&tree),
        ["1:1 {1:1 a: &1:7 [1:9 1, 1:12 \"2\"], 2:1 b: 2:4 *1:7 [1:9 1, 1:12 \"2\"], \
             3:1 c: 4:3 [5:3 \"two\\nlines\\n\", 8:3 \"one line\", 10:2 ~]}"]
    );
}

#[test]
fn what_stands_before_a_mistake_is_kept_and_what_is_open_there_is_cut() {
    for (text, document, place) in [
        (
            "a: 1\nb:\n- x\n- c: d\n  e: 'y",
            "1:1 {1:1 a: 1:4 1, 2:1 b: 3:3 [3:3 x, 4:3 {4:3 c: 4:6 d, 5:3 e: 5:6 ……}…]…}",
            (5, 6),
        ),
        ("a: *x", "1:1 {1:1 a: 1:4 ……}", (1, 4)),
        ("a: &x [ *x ]", "1:1 {1:1 a: 1:7 […]…}", (1, 9)),
        ("? [ a, *x ]", "1:1 {1:3 [1:5 a…]: 1:8 ……}", (1, 8)),
    ] {
        let tree = own(text);
        assert_eq!(documents(&tree), [document], "{text}");
        let (line, column, _) = failure(&tree).expect("a failure");
        assert_eq!((line, column), place, "{text}");
    }
    let tree = own("'");
    assert!(tree.documents.is_empty() && tree.failure.is_some());
}

#[test]
fn our_text_is_one_document_and_files_of_others_have_any_number() {
    let second = "a second YAML document starts here; one file is one document".to_owned();
    assert_eq!(failure(&own("a: 1\n---\nb: 2\n")), Some((3, 1, second.clone())));
    assert_eq!(failure(&own("a: 1\n---\n")), Some((2, 4, second)));
    assert_eq!(failure(&own("a: 1\n...\n")), None);
    // behind a written end is what the YAML of others leaves there
    assert_eq!(failure(&own("a: 1\n...\n ]\n")), None);
    assert!(failure(&own("a: [ 1 ]\n ]\n")).is_some());
    let tree = foreign("a: 1\n---\n---\n- b\n...\n");
    assert_eq!(failure(&tree), None);
    assert_eq!(documents(&tree), ["1:1 {1:1 a: 1:4 1}", "2:4 ~", "4:1 [4:3 b]"]);
}

#[test]
fn keys_given_twice_are_refused_in_files_of_others() {
    let twice = |text: &str| failure(&foreign(text));
    assert_eq!(twice("a: 1\nb: { c: 1, 'c': 2 }"), Some((2, 12, "`c` is given twice".into())));
    assert_eq!(twice("<<: { a: 1 }\n<<: { b: 1 }"), Some((2, 1, "`<<` is given twice".into())));
    assert_eq!(twice("&k a: 1\n*k : 2"), Some((2, 1, "`a` is given twice".into())));
    for text in ["1: a\n'1': b", "<<: { a: 1 }\n'<<': { b: 1 }", "a: { c: 1 }\nb: { c: 1 }", "!x a: 1\na: 2"]
    {
        assert_eq!(twice(text), None, "{text}");
    }
}

#[test]
fn tags_that_say_nothing_known_or_something_untrue_are_noted() {
    for (text, columns) in [
        ("a: !x b", vec![4]),
        ("{ !x a: !y [ !z b ] }", vec![3, 9, 14]),
        ("a: !!binary eA==", vec![4]),
        ("a: !!str [ b ]", vec![4]),
        ("a: !!map [ b ]", vec![4]),
        ("a: [ !!str 5, !!int 5, !!null x, ! 5, !!bool true, !!float 5, !int 5 ]", vec![]),
        ("a: !!seq [ ! [ ], !!map { } ]", vec![]),
        ("a: !<tag:yaml.org,2002:str> 5", vec![]),
        // also before a mistake
        ("a: !x [ b", vec![4]),
    ] {
        let tree = own(text);
        assert_eq!(tree.tags.iter().map(|tag| tag.column).collect::<Vec<_>>(), columns, "{text}");
    }
}

/// Texts at each bound, and one more.
#[test]
fn each_bound_holds_to_the_last_one() {
    let repeated = |part: &str, times: usize| vec![part; times].join(", ");
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let aliases = |times| format!("[ &a x, {} ]", repeated("*a", times));
    let anchors = |times| format!("[ {} ]", repeated("&a x", times));
    // the list itself is a node
    let nodes = |times: usize| format!("[ {} ]", repeated("x", times - 1));
    // and has two ends
    let replayed = |times: usize| format!("[ &a [ {} ], *a ]", repeated("x", times - 2));
    // the innermost of the alias is as deep as if it was written out
    let deep_alias =
        |depth: usize| format!("[ &a {}, {}*a{} ]", nested(8), "[".repeat(depth - 9), "]".repeat(depth - 9));
    let bytes = |total: usize| format!("[ &a '{}', *a, x ]", "x".repeat((total - 1) / 2));
    for (what, most, text) in [
        ("depth", 16, &nested as &dyn Fn(usize) -> String),
        ("depth of aliases", 16, &deep_alias),
        ("aliases", 2_000, &aliases),
        ("anchors", 500, &anchors),
        ("nodes", 200_000, &nodes),
        ("events of aliases", 20_000, &replayed),
        ("bytes", (16 << 20) - 1, &bytes),
    ] {
        assert_eq!(failure(&own(&text(most))), None, "{what}");
        let (_, _, told) = failure(&own(&text(most + 2))).expect(what);
        assert!(
            told.starts_with("the YAML is too large, too deep or uses too many anchors"),
            "{what}: {told}"
        );
    }
    assert!(failure(&own(&nested(17))).is_some());
    assert!(failure(&foreign(&nested(64))).is_none() && failure(&foreign(&nested(65))).is_some());
    assert!(failure(&foreign(&"--- a\n".repeat(1_024))).is_none());
    assert!(failure(&foreign(&"--- a\n".repeat(1_025))).is_some());
}

#[test]
fn bombs_are_refused_where_they_grow() {
    let bomb: String = (1..30).map(|n| format!("a{n}: &a{n} [ *a{0}, *a{0}, *a{0} ]\n", n - 1)).collect();
    for tree in [own(&format!("a0: &a0 x\n{bomb}")), foreign(&format!("a0: &a0 x\n{bomb}"))] {
        assert!(failure(&tree).is_some_and(|(line, ..)| line < 16), "{:?}", tree.failure);
    }
    for open in ["[", "{ a: ", "- ", "? ", "[ &a "] {
        assert!(failure(&own(&open.repeat(100_000))).is_some(), "{open}");
        assert!(failure(&foreign(&open.repeat(100_000))).is_some(), "{open}");
    }
}

/// Nodes with aliases written out, and how deep they are.
fn size(node: &Node<'_>) -> (usize, usize) {
    let inner: Vec<(usize, usize)> = match &node.meant().kind {
        Kind::List(items) => items.iter().map(size).collect(),
        Kind::Mapping(entries) => entries.iter().flat_map(|(key, value)| [size(key), size(value)]).collect(),
        _ => return (1, 0),
    };
    let nodes = inner.iter().map(|(nodes, _)| nodes).sum::<usize>() + 1;
    (nodes, inner.iter().map(|(_, depth)| *depth).max().unwrap_or(0) + 1)
}

fn yamlish() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "a",
        "b: ",
        "- ",
        "\n",
        "\n  ",
        "\n    ",
        "[",
        "]",
        "{",
        "}",
        ", ",
        ": ",
        "? ",
        "&x ",
        "*x ",
        "&y ",
        "*y ",
        "!t ",
        "!!str ",
        "'",
        "\"",
        "\\",
        "|\n",
        ">-\n",
        "#",
        "---\n",
        "...\n",
        "%YAML 1.2\n",
        "\t",
        "~",
        "5",
        "<<: ",
        "\u{feff}",
        "é",
        "\r\n",
        "upstreams: ",
        "policies: ",
        "match: ",
        "name: ",
        "headers: ",
    ]);
    prop_oneof![
        3 => prop::collection::vec(part, 0..40).prop_map(|parts| parts.concat()),
        1 => any::<String>(),
    ]
}

proptest! {
    #[test]
    fn any_text_is_read_within_the_bounds(text in yamlish()) {
        for (tree, deepest, most) in [(own(&text), 16, 220_000), (foreign(&text), 64, 3_000_000)] {
            for document in &tree.documents {
                let (nodes, depth) = size(document);
                prop_assert!(nodes <= most && depth <= deepest, "{nodes} nodes, {depth} deep");
                prop_assert!(!document.cut || tree.failure.is_some());
            }
        }
        let reading = crate::config::reading::parse(&text);
        prop_assert!(reading.raw.is_some() || !reading.refusals.is_empty());
    }
}
