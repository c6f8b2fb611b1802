use super::*;

fn rule(action: &str, sources: &[&str], regex: &str, target: &str, replacement: &str) -> RuleText {
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    RuleText {
        source_labels: (!sources.is_empty())
            .then(|| sources.iter().map(|source| (*source).to_owned()).collect()),
        regex: given(regex),
        modulus: u64::from(action == "hashmod"),
        target_label: target.to_owned(),
        replacement: given(replacement),
        action: given(action),
        ..RuleText::default()
    }
}

/// What a rule does to series of a selector: `-a` removed, `a=x|y` set, `a=?` to something, `drop`; `?` behind it
/// where that is so for some only.
fn shown(selector: &str, rule: RuleText) -> String {
    let mut known = Known::of(&Selector::parse(selector).unwrap());
    let effects = run(&[rule], &mut known, &BTreeSet::from(["a", "b", "c"]));
    let sure = |sure: bool| if sure { "" } else { "?" };
    let mut parts: Vec<String> = effects.drops.map(|all| format!("drop{}", sure(all))).into_iter().collect();
    for (label, (change, all)) in &effects.changes {
        let change = match change {
            Change::Removed => format!("-{label}"),
            Change::Set(None) => format!("{label}=?"),
            Change::Set(Some(values)) => {
                format!("{label}={}", values.iter().cloned().collect::<Vec<_>>().join("|"))
            }
        };
        parts.push(change + sure(*all));
    }
    parts.join(" ")
}

#[test]
fn what_a_rule_does_follows_from_what_is_known() {
    let a_or_b = r#"m{a=~"x|y"}"#;
    for (selector, rule, expected) in [
        // replace: constant, from known values, from unknown ones
        ("m", rule("", &[], "", "b", "z"), "b=z"),
        ("m", rule("Replace", &["a"], "x.*", "b", "z"), "b=z?"),
        (r#"m{a="xy"}"#, rule("replace", &["a"], "x.*", "b", "z"), "b=z"),
        (r#"m{a="y"}"#, rule("replace", &["a"], "x.*", "b", "z"), ""),
        (r#"m{a=~"y.+"}"#, rule("replace", &["a"], "x.*", "b", "z"), ""),
        (r#"m{a="xy"}"#, rule("replace", &["a"], "x(.*)", "b", "$1"), "b=y"),
        (a_or_b, rule("replace", &["a"], "(x|z)", "b", "$1$1"), "b=xx?"),
        (a_or_b, rule("replace", &["a"], "", "b", ""), "b=x|y"),
        ("m", rule("replace", &["a"], "", "b", ""), "b=?"),
        ("m", rule("replace", &["a"], "(.*)", "a", "$1"), ""),
        (r#"m{b="z"}"#, rule("replace", &[], "", "b", "z"), ""),
        (r#"m{a=""}"#, rule("replace", &["a"], "", "b", ""), "-b"),
        (r#"m{a="", b=""}"#, rule("replace", &["a"], "", "b", ""), ""),
        (r#"m{a="x", b="y"}"#, rule("replace", &["a", "b"], "x;y", "c", "z"), "c=z"),
        (r#"m{a="x"}"#, rule("replace", &["a", "b"], "x;y", "c", "z"), "c=z?"),
        ("m", rule("replace", &["__name__"], "(m)", "__name__", "n_$1"), "__name__=n_m"),
        ("m", rule("replace", &["__name__"], "(k)", "__name__", "n_$1"), ""),
        // a target that comes from the value
        ("m", rule("replace", &["a"], "(.+)", "${1}", "z"), "a=?? b=?? c=??"),
        ("m", rule("replace", &["a"], "(.+)", "b$1", "z"), "b=??"),
        (r#"m{a=""}"#, rule("replace", &["a"], "(.+)", "b$1", "z"), ""),
        // the other actions that set
        (r#"m{a="X"}"#, rule("lowercase", &["a"], "", "a", ""), "a=x"),
        (r#"m{a="x"}"#, rule("lowercase", &["a"], "", "a", ""), ""),
        ("m", rule("uppercase", &["a"], "", "b", ""), "b=?"),
        (r#"m{a="x"}"#, rule("hashmod", &["a"], "", "b", ""), "b=0"),
        ("m", rule("hashmod", &["a"], "", "b", ""), "b=?"),
        ("m", rule("labelmap", &[], "a(.*)", "", "b$1"), ""),
        // by name
        ("m", rule("labeldrop", &[], "a|c.*", "", ""), "-a -c"),
        (r#"m{a=""}"#, rule("labeldrop", &[], "a|c.*", "", ""), "-c"),
        ("m", rule("labelkeep", &[], "__name__|a|b", "", ""), "-c"),
        ("m", rule("labelkeep", &[], "a|b|c", "", ""), "-__name__"),
        // filters
        (r#"m{a="x"}"#, rule("keep", &["a"], "x|y", "", ""), ""),
        (r#"m{a="z"}"#, rule("keep", &["a"], "x|y", "", ""), "drop"),
        ("m", rule("keep", &["a"], "x|y", "", ""), "drop?"),
        (r#"m{a="x"}"#, rule("drop", &["a"], "x|y", "", ""), "drop"),
        (r#"m{a="z"}"#, rule("DROP", &["a"], "x|y", "", ""), ""),
        ("m", rule("drop", &["a"], "x|y", "", ""), "drop?"),
        ("m", rule("keepequal", &["a"], "", "b", ""), "drop?"),
        (r#"m{a="x", b="x"}"#, rule("keepequal", &["a"], "", "b", ""), ""),
        (r#"m{a="x", b="y"}"#, rule("keepequal", &["a"], "", "b", ""), "drop"),
        (r#"m{a="x", b="x"}"#, rule("dropequal", &["a"], "", "b", ""), "drop"),
    ] {
        let text = format!("{rule:?}");
        assert_eq!(shown(selector, rule), expected, "{selector}: {text}");
    }
}

#[test]
fn a_rule_sees_what_the_ones_before_it_did() {
    let after = |rules: &[RuleText]| {
        let mut known = Known::of(&Selector::parse(r#"m{a="x"}"#).unwrap());
        run(rules, &mut known, &BTreeSet::from(["a", "b"])).drops
    };
    let set = || rule("replace", &["a"], "x", "b", "y");
    assert_eq!(after(&[set(), rule("drop", &["b"], "y", "", "")]), Some(true));
    assert_eq!(after(&[set(), rule("keep", &["b"], "y", "", "")]), None);
    assert_eq!(after(&[rule("labeldrop", &[], "a", "", ""), rule("keep", &["a"], "x", "", "")]), Some(true));
    // What was kept is known from there on.
    let keep = || rule("keep", &["c"], "1|2", "", "");
    assert_eq!(after(&[keep(), rule("drop", &["c"], "3", "", "")]), Some(false));
    assert_eq!(after(&[keep(), rule("drop", &["c"], "1|2", "", "")]), Some(true));
}
