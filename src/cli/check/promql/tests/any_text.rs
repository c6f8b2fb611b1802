//! Texts of any kind are read or refused, and never a panic.

use proptest::prelude::*;
use proptest::sample::select;

use super::*;

/// Pieces of expressions, in any order.
fn pieces() -> impl Strategy<Value = String> {
    let piece = select(vec![
        "x",
        "sum",
        "rate",
        "by",
        "on",
        "offset",
        "bool",
        "and",
        "or",
        "group_left",
        "(",
        ")",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "@",
        "+",
        "-",
        "*",
        "/",
        "^",
        "=",
        "==",
        "=~",
        "!~",
        "<",
        "5m",
        "1",
        "1e",
        "0x",
        "\"a\"",
        "'",
        "`",
        "\\",
        "#",
        "\n",
        " ",
        "inf",
        "é",
        "\u{0}",
        "start()",
        "le",
        "1_",
        ".5",
        "topk(3, ",
        "x[5m]",
        "{a=\"b\"}",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

/// Expressions that are right.
fn expression() -> impl Strategy<Value = String> {
    let leaf = select(vec!["x", "x{a=\"b\"}", "rate(x[5m])", "x offset 5m", "{\"a.b\"}", "x @ 5"])
        .prop_map(str::to_owned);
    leaf.prop_recursive(5, 30, 2, |inner| {
        let op =
            select(vec!["+", "*", "^", "==", "and", "or", "unless", "> bool", "/ on (a) group_left (b)"]);
        prop_oneof![
            (inner.clone(), op, inner.clone()).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
            inner.clone().prop_map(|a| format!("({a})")),
            inner.clone().prop_map(|a| format!("-({a})")),
            inner.clone().prop_map(|a| format!("sum by (a) ({a})")),
            inner.clone().prop_map(|a| format!("topk(3, {a}) without (b)")),
            inner.prop_map(|a| format!("max_over_time(({a})[5m:1m])")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn is_read_or_refused_at_a_place_in_it(text in prop_oneof![pieces(), "\\PC*"]) {
        if let Err(refusal) = parse(&text) {
            prop_assert!(text.is_char_boundary(refusal.offset), "{refusal:?}");
        }
    }

    #[test]
    fn that_is_an_expression_is_read(text in expression()) {
        prop_assert!(parse(&text).is_ok(), "{:?}", parse(&text));
    }

    #[test]
    fn cut_short_is_never_a_panic(text in expression(), cut in 0..200_usize) {
        let cut: String = text.chars().take(cut).collect();
        if let Err(refusal) = parse(&cut) {
            prop_assert!(refusal.offset <= cut.len());
        }
    }
}
