use super::*;

/// The text with hidden characters as `*`.
fn masked(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let stars = |(line, ranges): (&&str, Vec<Range<usize>>)| -> String {
        line.chars()
            .enumerate()
            .map(|(at, c)| if ranges.iter().any(|r| r.contains(&at)) { '*' } else { c })
            .collect()
    };
    lines.iter().zip(hidden(&lines, &BTreeSet::new())).map(stars).collect::<Vec<_>>().join("\n")
}

#[test]
fn hides_a_secret_in_every_yaml_form() {
    for (text, shown) in [
        ("password: abc", "password: ***"),
        ("- password: a, b} c", "- password: *******"),
        ("password: \"a\\\"b\" # note", "password: ****** # note"),
        ("password: 'it''s'", "password: *******"),
        ("{ password: abc, timeout: 5s }", "{ password: ***, timeout: 5s }"),
        ("{\"password\":\"abc\",\"x\":1}", "{\"password\":*****,\"x\":1}"),
        ("{ x: 1, passwrd: abc }", "{ x: 1, passwrd: *** }"),
        ("basic_auth: abc", "basic_auth: ***"),
        ("basic_auth: { username: u, password: p }", "basic_auth: { username: u, password: * }"),
        ("bearer_token: |\n  abc\n  def\nname: x", "bearer_token: *\n  ***\n  ***\nname: x"),
        ("bearer_token:\n  abc\nname: x", "bearer_token:\n  ***\nname: x"),
        ("bearer_token: abc\n  def\nname: x", "bearer_token: ***\n  ***\nname: x"),
        ("password: \"abc\n  def\", name: x", "password: ****\n  ***\", name: x"),
        ("headers:\n  A: b\n  C: d\n    e: f\nname: x", "headers:\n  A: *\n  C: *\n    ****\nname: x"),
        ("headers: { A: b, C: d }, name: x", "headers: *************}, name: x"),
        ("{ headers: { A: ${B}, C: 'd}' }, n: x }", "{ headers: *******************}, n: x }"),
        ("headers: { A: ${B},\n  C: d }\nname: x", "headers: **********\n  *****}\nname: x"),
        ("url: https://u:p@host/write", "url: https://***@host/write"),
        ("url: https://host/write?key=1", "url: https://host/write?*****"),
        ("{ url: https://host/t0ken/write, name: x }", "{ url: https://host/*****/write, name: x }"),
        ("bearer_token_file: hunter2", "bearer_token_file: *******"),
        ("bearer_token_file hunter2", "bearer_token_file *******"),
        ("bearer_token_file: 'ab c' # d", "bearer_token_file: ****** # d"),
        ("tls: { key_file: a=b, ca_file: ca.pem }", "tls: { key_file: ***, ca_file: ca.pem }"),
        ("key_file: |\n  ab\n  cd\nname: x", "key_file: |\n  **\n  **\nname: x"),
        ("key_file: \"ab\n  cd\"\nname: x", "key_file: ***\n  **\"\nname: x"),
        ("headers_from_files:\n  A: a\n  B: b2\nname: x", "headers_from_files:\n  A: a\n  B: **\nname: x"),
        ("headers_from_files: { A: a, B: b2 }", "headers_from_files: ***************"),
        ("{ key_file: [ k1 ], ca_file: [k] }", "{ key_file: ******, ca_file: [k] }"),
        ("username: a:b", "username: ***"),
        ("username: a: b", "username: ****"),
        ("{ username: 'a:b', password_file: pw }", "{ username: *****, password_file: pw }"),
    ] {
        assert_eq!(masked(text), shown);
    }
}

#[test]
fn hides_what_stands_behind_a_key_that_nobody_knows() {
    for (text, unknown, shown) in [
        ("{ pw: abc, timeout: 5s }", (0, 2), vec![one(6..9)]),
        ("{ \"my pw\": abc, timeout: 5s }", (0, 2), vec![one(11..14)]),
        ("{ pw: \"a\n  b\", timeout: 5s }", (0, 2), vec![one(6..8), one(2..3)]),
        ("  pw:\n    abc\n  timeout: 5s", (0, 2), vec![Vec::new(), one(4..7), Vec::new()]),
    ] {
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(hidden(&lines, &BTreeSet::from([unknown])), shown, "{text}");
    }
}

#[test]
fn shows_what_is_no_secret() {
    for text in [
        "password_file: /etc/pw",
        "bearer_token: ${TOKEN}",
        "{ bearer_token: ${TOKEN}, timeout: 5s }",
        "headers:\n  Authorization: ${TOKEN}",
        "- { name: token-metrics, match: 'x{token=\"a\"}', action: pass }",
        "forward_authorization: true",
        "tls: { ca_file: ca.pem, server_name: 'https://h' }",
        "password_file: /etc/app/Pw-1",
        "{ username: a, password_file: ${DIR} }",
        "headers_from_files: { A: a, B: /etc/b }",
    ] {
        assert_eq!(masked(text), text);
    }
}
