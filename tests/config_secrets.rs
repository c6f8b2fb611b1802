//! Random mistakes around a secret: whatever a config file is made into, the secret shows in none of the errors.

use std::path::Path;

use seriesgate::config::Config;

/// Texts that are tried.
const CASES: usize = 20_000;
/// Of those in which the secret shows, this many are told.
const SHOWN: usize = 12;
/// The two halves of the secret. Neither of them shows.
const SECRET: [&str; 2] = ["hunTer", "sEcret"];
/// Files with a secret (`@@`) in the forms that people write.
const FILES: [&str; 25] = [
    "upstreams:\n  - name: u\n    url: http://h/w\n    oauth2:\n      client_id: a\n      client_secret: @@\n      token_url: http://t/t\n    timeout: 5s\n",
    "upstreams:\n  - name: u\n    url: http://h/w\n    oauth2: { client_id: a, client_secret_file: f, token_url: http://t/t, endpoint_params: { audience: '@@' } }\n    timeout: 5s\n",
    "upstreams:\n  - name: u\n    url: http://h/w\n    basic_auth:\n      username: a\n      password: @@\n    timeout: 5s\n",
    "upstreams:\n- name: u\n  url: http://h/w\n  bearer_token: '@@'\n  tls:\n    insecure_skip_verify: true\npolicies: []\n",
    "upstreams:\n  - name: u\n    bearer_token: \"@@\"\n    url: http://h/w\npolicies:\n  - name: a\n    match: 'x{pod=\"a\"}'\n",
    "upstreams:\n  - name: u\n    url: http://h/w\n    bearer_token: |\n      @@\n      @@\n    timeout: 5s\n",
    "upstreams:\n  - name: u\n    url: http://h/w\n    headers:\n      X-A: a\n      X-B: @@\n      X-C: '@@'\n",
    "upstreams: [ { name: u, url: http://h/w, basic_auth: { username: a, password: @@ }, timeout: 5s } ]\nlisten: {}\n",
    "{\"listen\": {},\n \"upstreams\": [{\"name\": \"u\", \"bearer_token\": \"@@\",\n  \"url\": \"http://h/w\"}]}\n",
    "listen:\n  backlog: 5\nupstreams:\n  - name: u\n    url: http://h/w\n    bearer_token:\n      @@\n    timeout: 5s\n",
    "listen: {}\nupstreams:\n  - name: u\n    url: http://v:@@@h/w\n    timeout: 5s\n",
    "upstreams:\n- url: http://h/w?tok=@@\n  name: u\n  upstream_429: pass\npolicies: []\n",
    "upstreams:\n  - name: u\n    url: \"https://v:@@@h/api/v1/write\"\n    timeout: 5s\nadmin: {}\n",
    "upstreams:\n  - url: 'http://h/w?a=b&tok=@@'\n    name: u\n    tls: { ca_file: a }\n",
    "upstreams: [ { name: u, url: http://v:@@@h/w, timeout: 5s } ]\nlisten: {}\n",
    "{\"upstreams\": [{\"name\": \"u\", \"url\": \"http://h/w?tok=@@\",\n  \"timeout\": \"5s\"}]}\n",
    "upstreams:\n  - name: u\n    url: http://h/w\n      ?tok=@@\n    timeout: 5s\n",
    "upstreams:\n  - name: u\n    url: >-\n      http://v:@@@h/w\n    timeout: 5s\n",
    "upstreams:\n  - name: u\n    url: http://h/w\n    headers:\n      My Key: @@\n      'X B': '@@'\n    timeout: 5s\n",
    "listen:\n  auth:\n    users:\n      - username: a\n        password: @@\n        tenant: t\n  backlog: 5\nupstreams:\n  - name: u\n    url: http://h/w\n",
    "listen:\n  auth:\n    users:\n    - bearer_token: '@@'\n    - bearer_token_file: a\nadmin: {}\nupstreams: [ { name: u, url: http://h/w } ]\n",
    "admin: { auth: { users: [ { username: a, password: @@, role: change }, { bearer_token: '@@' } ] } }\nlisten: {}\nupstreams: [ { name: u, url: http://h/w } ]\n",
    "admin:\n  auth:\n    users:\n      - bearer_token: |\n          @@\n        role: read\n  address: 127.0.0.1:1\nupstreams: []\n",
    "{\"admin\": {\"auth\": {\"users\": [{\"username\": \"a\", \"password\": \"@@\"}]}},\n \"upstreams\": [{\"name\": \"u\", \"url\": \"http://h/w\"}]}\n",
    "listen: { backlog: 5 }\nupstreams:\n  - name: u\n    timeout: '5s'# was @@\n    url: http://h/w # @@\n",
];
/// What is typed by mistake.
const SLIPS: [&str; 34] = [
    "'", "\"", "\"\"", ":", ": ", "\n", "\n  ", "\n    ", "\n- ", " ", "  ", "\t", "|", ">", "|\n",
    ">-\n    ", "&a ", "*a ", "{", "}", "[", "]", ",", ", ", "#", " # ", "- ", "? ", "! ", "!x ", "%", "\\",
    "`", "${",
];

/// A text with some characters taken out or put in, near the secret more often; the secret's halves stay whole.
fn with_slips(text: &str, slips: &[(usize, usize, bool)]) -> String {
    let mut parts: Vec<String> = Vec::new();
    for (n, piece) in text.split("@@").enumerate() {
        if n > 0 {
            parts.extend(SECRET.map(str::to_owned));
        }
        parts.extend(piece.chars().map(String::from));
    }
    for (at, slip, puts) in slips {
        let near = parts.iter().position(|part| part == SECRET[0]).unwrap_or(0);
        let at = if at % 2 == 0 { (near + at / 2 % 12).saturating_sub(8) } else { at / 2 % parts.len() };
        let at = at.min(parts.len() - 1);
        if *puts {
            parts.insert(at, SLIPS[slip % SLIPS.len()].to_owned());
        } else if !(parts[at].chars().any(char::is_alphabetic) || is_kept(&parts, at)) {
            parts.remove(at);
        }
    }
    parts.concat()
}

/// What tells a secret from what is shown: a comment without its `#` is a text, and behind no sign a password is a part of a
/// host's name.
fn is_kept(parts: &[String], at: usize) -> bool {
    let is_sign = matches!(parts[at].as_str(), ":" | "=");
    parts[at] == "#" || is_sign && parts.get(at + 1).is_some_and(|next| next == SECRET[0])
}

/// Numbers that look random and are the same in each run.
struct Draws(u64);

impl Draws {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % end
    }
}

#[test]
fn a_secret_never_shows_whatever_the_mistake() {
    let mut draws = Draws(7);
    let (mut shows, mut refused) = (Vec::new(), 0);
    for _ in 0..CASES {
        let file = FILES[draws.below(FILES.len())];
        let slips: Vec<_> = (0..1 + draws.below(4))
            .map(|_| (draws.below(10_000), draws.below(1_000), draws.below(10) < 7))
            .collect();
        let text = with_slips(file, &slips);
        let Err(errors) = Config::parse(&text, "gate.yaml", Path::new(""), &|_| None) else { continue };
        refused += 1;
        let told = format!("{errors}\n{errors:?}");
        if SECRET.iter().any(|half| told.contains(half)) {
            shows.push(format!("{text}\n{errors}"));
        }
    }
    assert!(refused > CASES / 2, "{refused} of {CASES} texts have a mistake");
    shows.sort_by_key(String::len);
    let few: Vec<&str> = shows.iter().take(SHOWN).map(String::as_str).collect();
    assert!(shows.is_empty(), "the secret shows in {} of {CASES}:\n{}", shows.len(), few.join("\n---\n"));
}
