use super::*;

/// `metric: how label, …` for each selector.
fn shown(expression: &str) -> String {
    let word = |how| match how {
        How::Selects => "selects",
        How::GroupsBy => "by",
        How::Without => "without",
        How::MatchesOn => "on",
        How::Ignores => "ignoring",
        How::TakesOver => "takes",
        How::Derives => "from",
        How::Quantile => "quantile",
        How::Sorts => "sorts",
        How::Shows => "shown",
        How::Keeps => "kept",
        How::AllBut(_) => "all but",
        How::MatchesAll(_) => "all",
    };
    let uses = |read: &Read| {
        let uses: Vec<String> =
            read.uses.iter().map(|used| format!("{} {}", word(used.how), used.label)).collect();
        format!("{}: {}", read.shown, uses.join(", ")).trim_end_matches([' ', ':']).to_owned()
    };
    reads(expression).expect(expression).iter().map(uses).collect::<Vec<_>>().join("; ")
}

#[test]
fn labels_go_to_the_selectors_that_must_have_them() {
    for (expression, expected) in [
        ("up", "up"),
        ("1 + time()", ""),
        (r#"up{job="a", __name__="up"}[5m]"#, ""),
        (r#"-(up{job="a", pod!~"x"})"#, "up: selects job, selects pod"),
        // aggregations hide what they do not keep
        ("sum(up)", "up"),
        ("sum by (a, b) (up)", "up: by a, by b"),
        ("sum by (a) (max by (a, b) (up))", "up: by a, by b"),
        ("sum by (a) (max without (b) (up))", "up: by a, without b"),
        ("sum by (a) (max without (a) (up))", "up: without a"),
        ("sum by (a) (topk(3, up))", "up: by a"),
        ("sum by (a) (topk by (b) (3, up))", "up: by a, by b"),
        ("sum by (a) (avg_over_time(rate(up[1m])[5m:1m]))", "up: by a"),
        (r#"count_values by (job) ("version", build)"#, "build: by job"),
        ("sum by (a) (absent(up))", "up"),
        ("topk(scalar(n), up)", "up; n"),
        // operators
        ("x * on (a) y", "x: on a; y: on a"),
        ("x * ignoring (a) y", "x: ignoring a; y: ignoring a"),
        ("x * on (a) group_left (b) y", "x: on a; y: on a, takes b"),
        ("x * on (a) group_right (b) y", "x: on a, takes b; y: on a"),
        ("sum by (b, c) (x * on (a) group_left (b) y)", "x: by c, on a; y: on a, takes b"),
        ("sum by (a) (x + y)", "x: by a; y: by a"),
        ("sum by (c) (x + on (a) y)", "x: on a; y: on a"),
        ("sum by (c) (x and on (a) y)", "x: by c, on a; y: on a"),
        ("sum by (c) (x or y)", "x: by c; y: by c"),
        ("sum by (c) (x unless y)", "x: by c; y"),
        ("x > 0", "x"),
        // functions that make labels, or go by them
        (r#"sum by (w, j) (label_replace(x, "w", "$1", "pod", "(.+)"))"#, "x: by j, from pod"),
        (r#"label_join(x, "w", "-", "a", "b")"#, "x: from a, from b"),
        (r#"label_replace(x, "w", "v", "", "")"#, "x"),
        (r#"sort_by_label(x, "a")"#, "x: sorts a"),
        ("histogram_quantile(0.9, sum by (le) (x))", "x: by le"),
        ("histogram_quantile(0.9, x)", "x: quantile le"),
        (r#"info(x, {a=~".+"})"#, "x: on instance, on job"),
        // names
        (r#"{__name__=~"b|a"}"#, "a; b"),
        (r#"{__name__=~"a.+", x="y"}"#, r#"{__name__=~"a.+",x="y"}: selects x"#),
        (r#"{"a.b", "c d"="e"}"#, "a.b: selects c d"),
        (r#"{a="b" or c="d"}"#, r#"{a="b"}: selects a; {c="d"}: selects c"#),
    ] {
        if expected.is_empty() && !expression.starts_with('1') {
            assert!(reads(expression).is_err(), "{expression}: a name given twice is refused");
        } else {
            assert_eq!(shown(expression), expected, "{expression}");
        }
    }
}

#[test]
fn what_cannot_be_read_says_why() {
    let why = |text: &str| reads(text).unwrap_err().message;
    assert_eq!(why("sum(x"), "the `(` is not closed");
    assert_eq!(why(&"x".repeat((64 << 10) + 1)), "it is longer than 64 KiB");
    let long = format!("{{a=\"{}\"}}", "b".repeat(100));
    assert_eq!(reads(&long).unwrap()[0].shown.chars().count(), MAX_SHOWN + 1);
}

#[test]
fn what_is_done_with_values_goes_from_the_inside_out() {
    let over = |function: &str| Step::OverTime(function.to_owned());
    let function = |function: &str| Step::Function(function.to_owned());
    let aggregated = |op: &str| Step::Aggregated(op.to_owned());
    for (expression, expected) in [
        ("x", vec![]),
        ("sum(-x) > 5", vec![Step::Negated, aggregated("sum"), Step::Compared { op: ">", with: Some(5.0) }]),
        ("0 == rate(x[5m])", vec![over("rate"), Step::Compared { op: "==", with: Some(0.0) }]),
        ("avg_over_time(abs(x)[1h:])", vec![function("abs"), over("avg_over_time")]),
        ("absent(x * 2)", vec![Step::Scaled, Step::Exists]),
        ("-2 * x", vec![Step::Negated]),
        ("2 / x", vec![Step::Combined("/")]),
        ("x ^ 2", vec![Step::Combined("^")]),
        ("x / on (a) group_left y", vec![Step::Scaled]),
        ("x / on (a) group_right y", vec![Step::Combined("/")]),
        ("x unless y", vec![Step::Chosen]),
        ("vector(1) unless on () x", vec![Step::Exists]),
        ("topk(scalar(x), vector(1))", vec![function("scalar")]),
    ] {
        assert_eq!(reads(expression).unwrap()[0].steps, Some(expected), "{expression}");
    }
}
