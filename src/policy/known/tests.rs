use super::*;

fn known(selector: &str) -> Known {
    Known::of(&Selector::parse(selector).expect(selector))
}

#[test]
fn how_a_policy_meets_what_a_rule_reads() {
    use Overlap::{Certain, Disjoint, May};
    for (read, policy, expected) in [
        // a value on one side is held against the other side's matchers
        ("up", "up", Certain),
        ("up", "down", Disjoint),
        ("up", r#"{__name__=~"u.+"}"#, Certain),
        ("up", r#"{__name__!~"u.+"}"#, Disjoint),
        ("up", r#"{__name__!="up"}"#, Disjoint),
        (r#"{__name__=~"u.+"}"#, "up", May),
        (r#"{__name__=~"u.+"}"#, "down", Disjoint),
        (r#"{__name__!~"u.+"}"#, "up", Disjoint),
        // a label that only one side names
        (r#"up{job="a"}"#, "up", Certain),
        ("up", r#"up{job="a"}"#, May),
        ("up", r#"up{job=""}"#, May),
        (r#"up{job="a"}"#, r#"{pod="x"}"#, May),
        ("up", "{}", Certain),
        ("up", r#"up{job=~".*"}"#, Certain),
        ("up", r#"up{job!~".*"}"#, Disjoint),
        ("up", r#"up{job=~"|.+"}"#, Certain),
        ("up", r#"up{job=~"(?i).*"}"#, Certain),
        ("up", r#"up{job!~"|.+"}"#, Disjoint),
        (r#"up{job="a"}"#, r#"up{job=~"(?i).+"}"#, Certain),
        // literal alternatives are values
        (r#"up{job=~"a|b"}"#, r#"up{job=~"b|c"}"#, May),
        (r#"up{job=~"a|b"}"#, r#"up{job=~"c|d"}"#, Disjoint),
        (r#"up{job=~"a|b"}"#, r#"up{job=~"a|b|c"}"#, Certain),
        (r#"up{job=~"a|b"}"#, r#"up{job!~"c|d"}"#, Certain),
        (r#"up{job=~"a|b"}"#, r#"up{job!~"a"}"#, May),
        (r#"up{job=~"a|b", job!="a"}"#, r#"up{job!="b"}"#, Disjoint),
        // regexes against regexes: nothing is sure but what shows in the text
        (r#"up{job=~"a.+"}"#, r#"up{job=~".+z"}"#, May),
        (r#"up{job=~"a.+"}"#, r#"up{job=~"a.+"}"#, Certain),
        (r#"up{job=~"a.+"}"#, r#"up{job!~"a.+"}"#, Disjoint),
        (r#"up{job=~"a.+"}"#, r#"up{job=~"b.+"}"#, Disjoint),
        (r#"up{job=~"a.+"}"#, r#"up{job!~"b.+"}"#, Certain),
        (r#"up{job=~"a.+"}"#, r#"up{job=~"ab.+"}"#, May),
        // not empty
        (r#"up{job=~"a.+"}"#, r#"up{job!=""}"#, Certain),
        (r#"up{job=~"a.*"}"#, r#"up{job=~".+"}"#, Certain),
        (r#"up{job=~"a?b*"}"#, r#"up{job!=""}"#, May),
        (r#"up{job!="a"}"#, r#"up{job!=""}"#, May),
        (r#"up{job!=""}"#, r#"up{job!~""}"#, Certain),
        (r#"up{job=~".+"}"#, r#"up{job=""}"#, Disjoint),
        (r#"up{job=""}"#, r#"up{job!=""}"#, Disjoint),
        (r#"up{job=""}"#, r#"up{job!="x"}"#, Certain),
        // several matchers
        (r#"up{job="a", pod=~"x.+"}"#, r#"up{job="b", pod=~"x.+"}"#, Disjoint),
        (r#"up{job="a", pod=~"x.+"}"#, r#"up{job="a", pod=~".+y"}"#, May),
    ] {
        assert_eq!(known(read).meets(&known(policy)), expected, "{read} against {policy}");
    }
}
