//! One row a form.

use super::*;

#[test]
fn shapes() {
    let of = |all: &[&str]| Shape::Literals(all.iter().map(|s| (*s).to_owned()).collect());
    let prefix = |p: &str| Shape::Prefix(p.into());
    for (pattern, expected) in [
        ("up", of(&["up"])),
        ("^up$", of(&["up"])),
        (r"\Aup\z", of(&["up"])),
        (r"\Qa.b\E", of(&["a.b"])),
        ("foo|bar|", of(&["", "bar", "foo"])),
        ("(foo|fob)_x", of(&["fob_x", "foo_x"])),
        ("(?P<1>a)", of(&["a"])),
        ("[ab]", of(&["a", "b"])),
        ("(?i)ab", of(&["AB", "Ab", "aB", "ab"])),
        (r"\x{D800}", Shape::Any),
        ("node_.+", prefix("node_")),
        ("^node_.+", prefix("node_")),
        ("node_(cpu|mem).*", prefix("node_")),
        (r"a\d*", prefix("a")),
        (r"\pL", Shape::Any),
        (".*", Shape::Any),
        ("a|b.*", Shape::Any),
        (r"\bup", Shape::Any),
        ("(?m)^up", Shape::Any),
        ("a(", Shape::Any),
    ] {
        assert_eq!(shape(pattern), expected, "{pattern}");
    }
}
