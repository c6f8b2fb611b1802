//! Who may use the ports, and under which certificates, while the program runs.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::Request;
use hyper::header::AUTHORIZATION;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use seriesgate_proto::encode_snappy;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::authority::{Authority, Pair};
use super::support::backend::{Backend, stored};
use super::support::gate::{Gate, SOON, Setup};
use super::support::http::{self, Reply};
use super::support::wait::until;
use super::{mixture, sink};

const NAME: &str = "127.0.0.1";

/// Files that a config names.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn put(&self, name: &str, text: &str) -> String {
        std::fs::write(self.path(name), text).unwrap();
        self.path(name).display().to_string()
    }

    /// Keys for `tls`.
    fn put_pair(&self, pair: &Pair) -> String {
        let (certificate, key) = (self.put("tls.crt", &pair.certificate), self.put("tls.key", &pair.key));
        format!("tls: {{ cert_file: '{certificate}', key_file: '{key}' }}")
    }
}

fn basic(username: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{username}:{password}")))
}

async fn write_as(gate: &Gate, authorization: &str) -> Reply {
    let mut request = http::write_request(gate.write, encode_snappy(&mixture(1, 1)));
    request.headers_mut().insert(AUTHORIZATION, authorization.parse().unwrap());
    http::send(request).await.unwrap()
}

/// Asks the admin port as somebody.
async fn ask_as(gate: &Gate, method: &str, path: &str, authorization: &str) -> Reply {
    let request = Request::builder().method(method).uri(gate.admin_url(path));
    let request = request.header(AUTHORIZATION, authorization).body(Default::default()).unwrap();
    http::send(request).await.unwrap()
}

/// One request over TLS; what was answered.
async fn over_tls(address: SocketAddr, config: Arc<ClientConfig>, request: &[u8]) -> std::io::Result<String> {
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from(NAME).unwrap();
    let mut stream = TlsConnector::from(config).connect(name, stream).await?;
    stream.write_all(request).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

/// A write of nothing.
fn empty_write() -> Vec<u8> {
    let body = encode_snappy(&mixture(0, 0));
    let length = body.len();
    let head = format!(
        "POST /api/v1/write HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
    );
    [head.as_bytes(), &body].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_file_is_taken_anew_without_a_restart() {
    let backend = Backend::start(|_| stored()).await;
    let files = Files::new();
    let password = files.put("password", "old\n");
    let users =
        format!("auth: {{ users: [ {{ username: a, password_file: '{password}', tenant: team-a }} ] }}");
    let gate = Setup::to(backend.url()).listen(&users).start().await;
    assert_eq!(write_as(&gate, &basic("a", "new")).await.status, 401);
    assert_eq!(write_as(&gate, &basic("a", "old")).await.status, 204);
    files.put("password", "new\n");
    until("the new password is known", SOON, async || {
        (write_as(&gate, &basic("a", "new")).await.status == 204).then_some(())
    })
    .await;
    let reply = write_as(&gate, &basic("a", "old")).await;
    assert_eq!((reply.status, reply.header("www-authenticate").is_some()), (401, true));
    // and an empty file changes nothing
    files.put("password", "");
    gate.until_metric("seriesgate_config_reloads_total", &[("result", "failed")], 1.0).await;
    assert_eq!(write_as(&gate, &basic("a", "new")).await.status, 204);
    let seen = backend.seen();
    assert_eq!(seen.len(), 3);
    for seen in seen {
        assert!(!seen.head.contains("authorization"), "{}", seen.head);
        assert!(seen.head.contains("x-scope-orgid: team-a\r\n"), "{}", seen.head);
    }
    assert!(!gate.log().contains("takes effect at the next start"), "{}", gate.log());
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_and_a_key_that_do_not_go_together_leave_the_ones_before() {
    let sink = sink().await;
    let (old, new, files) = (Authority::new(), Authority::new(), Files::new());
    let (first, second) = (old.sign(NAME), new.sign(NAME));
    let tls = files.put_pair(&first);
    let gate = Setup::to(sink.write_url()).listen(&tls).start().await;
    let believes = [old.client(None, &[]), new.client(None, &[])];
    let shows = async |which: usize| {
        let answer = over_tls(gate.write, Arc::clone(&believes[which]), &empty_write()).await;
        answer.is_ok_and(|answer| answer.starts_with("HTTP/1.1 204"))
    };
    assert!(shows(0).await);
    files.put("tls.crt", &second.certificate);
    gate.until_metric("seriesgate_config_reloads_total", &[("result", "failed")], 1.0).await;
    assert!(shows(0).await && gate.log().contains("the key does not belong to the certificate"));
    files.put("tls.key", &second.key);
    gate.until_metric("seriesgate_config_reloads_total", &[("result", "ok")], 1.0).await;
    assert!(shows(1).await && !shows(0).await);
    assert!(gate.log().contains("config reloaded: listen.tls"), "{}", gate.log());
    let plain = http::send(http::write_request(gate.write, encode_snappy(&mixture(1, 0)))).await;
    assert!(plain.is_err(), "{plain:?}");
    gate.until_metric_is("seriesgate_connections_refused_total", &[("reason", "plaintext")], |n| n >= 1.0)
        .await;
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_port_shows_to_some_and_is_changed_by_fewer() {
    let sink = sink().await;
    let gate = Setup::to(sink.write_url()).start().await;
    let users = "auth: { users: [ { username: r, password: pw }, { bearer_token: chg, role: change } ] }";
    gate.write_config(&Setup::to(sink.write_url()).admin(users));
    assert_eq!(gate.admin_post("/-/reload").await.status, 200);
    let (nobody, reads, changes) = (basic("r", "wrong"), basic("r", "pw"), "Bearer chg".to_owned());
    for path in
        ["/", "/metrics", "/api/v1/churn", "/api/v1/policies", "/prometheus/api/v1/status/tsdb", "/none"]
    {
        let found = if path == "/none" { 404 } else { 200 };
        for (who, status) in [(&nobody, 401), (&reads, found), (&changes, found)] {
            let reply = ask_as(&gate, "GET", path, who).await;
            assert_eq!(reply.status, status, "{path} by {who}");
            assert_eq!(reply.header("www-authenticate").is_some(), status == 401, "{path} by {who}");
        }
        assert_eq!(http::get(&gate.admin_url(path)).await.unwrap().status, 401, "{path}");
    }
    for path in ["/-/healthy", "/-/ready"] {
        assert_eq!(http::get(&gate.admin_url(path)).await.unwrap().status, 200, "{path}");
    }
    for path in ["/-/bypass?on=true", "/-/reload"] {
        for (method, who, status) in [
            ("POST", &nobody, 401),
            ("POST", &reads, 403),
            ("PUT", &reads, 403),
            ("GET", &changes, 405),
            ("PUT", &changes, 405),
            ("POST", &changes, 200),
        ] {
            assert_eq!(ask_as(&gate, method, path, who).await.status, status, "{method} {path} by {who}");
        }
    }
    let metrics = ask_as(&gate, "GET", "/metrics", &reads).await.text;
    assert!(
        metrics.contains("seriesgate_admin_refused_requests_total{reason=\"unauthorized\"} 14\n"),
        "{metrics}"
    );
    assert!(metrics.contains("seriesgate_admin_refused_requests_total{reason=\"forbidden\"} 4\n"));
    assert!(gate.log().contains("sender=\"127.0.0.1\" status=401"), "{}", gate.log());
    gate.write_config(&Setup::to(sink.write_url()));
    assert_eq!(ask_as(&gate, "POST", "/-/reload", &changes).await.status, 200);
    gate.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_port_speaks_tls_where_it_has_a_certificate() {
    let sink = sink().await;
    let (authority, clients, files) = (Authority::new(), Authority::new(), Files::new());
    let gate = Setup::to(sink.write_url()).start().await;
    let tls = files.put_pair(&authority.sign(NAME));
    let client_ca = files.put("clients.crt", &clients.pem());
    let tls = tls.replace(" }", &format!(", client_ca_file: '{client_ca}' }}"));
    gate.write_config(&Setup::to(sink.write_url()).admin(&tls));
    let reply = gate.admin_post("/-/reload").await;
    assert!(reply.text.contains("config reloaded: admin.tls\n"), "{}", reply.text);
    let get = b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n";
    let known = authority.client(Some(&clients.sign("scraper")), &[]);
    let metrics = over_tls(gate.admin, Arc::clone(&known), get).await.unwrap();
    assert!(metrics.starts_with("HTTP/1.1 200") && metrics.contains("seriesgate_build_info"), "{metrics}");
    for stranger in [authority.client(None, &[]), Authority::new().client(None, &[])] {
        let answer = over_tls(gate.admin, stranger, get).await;
        assert!(answer.is_err(), "{answer:?}");
    }
    // one without TLS sees an end
    let mut plain = TcpStream::connect(gate.admin).await.unwrap();
    plain.write_all(get).await.unwrap();
    let mut rest = Vec::new();
    assert_eq!((plain.read_to_end(&mut rest).await.unwrap(), rest), (0, Vec::new()));
    drop(plain);
    gate.write_config(&Setup::to(sink.write_url()));
    let back = b"POST /-/reload HTTP/1.1\r\nhost: x\r\n\r\n";
    assert!(over_tls(gate.admin, known, back).await.unwrap().starts_with("HTTP/1.1 200"));
    for (reason, count) in [("plaintext", 1.0), ("tls_handshake", 2.0)] {
        gate.until_metric("seriesgate_admin_connections_closed_total", &[("reason", reason)], count).await;
    }
    gate.finish().await;
}

/// `report` and `health` as somebody types them, in an environment of its own; how they end and what they say.
fn command(words: &[&str], environment: &[(&str, &str)]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_seriesgate"));
    let output = command.args(words).envs(environment.iter().copied()).output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (output.status.code().unwrap(), said)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_is_let_in() {
    let sink = sink().await;
    let (authority, files) = (Authority::new(), Files::new());
    let gate = Setup::to(sink.write_url()).start().await;
    let tls = files.put_pair(&authority.sign(NAME));
    let users = "auth: { users: [ { username: r, password: canary }, { bearer_token: tok, role: change } ] }";
    gate.write_config(&Setup::to(sink.write_url()).admin(&format!("{users}, {tls}")));
    assert_eq!(gate.admin_post("/-/reload").await.status, 200);
    let url = format!("https://{}", gate.admin);
    let (ca, password) = (files.put("ca.crt", &authority.pem()), files.put("password", "canary\n"));
    let (token, wrong) = (files.put("token", "tok\n"), files.put("wrong", "canary-wrong\n"));
    let base = ["--admin", &url, "--admin-ca-file", &ca];
    let with = |more: &[&str]| [&["report"], &base[..], more].concat().join(" ");
    for (words, status, says) in [
        (with(&["--admin-user", "r", "--admin-password-file", &password]), 0, "active series"),
        (with(&["--admin-token-file", &token, "--by", "policy"]), 0, ""),
        (with(&[]), 1, "give --admin-user and --admin-password-file, or --admin-token-file"),
        (with(&["--admin-user", "r", "--admin-password-file", &wrong]), 1, "401"),
        (with(&["--admin-token-file", "/none"]), 1, "--admin-token-file: /none: No such file"),
        (with(&["--admin-user", "r"]), 2, "--admin-password-file"),
        (format!("report --admin {url} --admin-token-file {token}"), 1, "UnknownIssuer"),
        (format!("report --admin {url} --admin-ca-file {token}"), 1, "--admin-ca-file: "),
        ([&["health"], &base[..]].concat().join(" "), 0, "ok"),
        (format!("health --ready --admin {url} --admin-ca-file {ca}"), 0, "ready"),
        (format!("health --admin http://{}", gate.admin), 1, "no answer from"),
    ] {
        let (ended, said) = command(&words.split(' ').collect::<Vec<_>>(), &[]);
        assert!(ended == status && said.contains(says), "{words}: {ended}\n{said}");
        assert!(!said.contains("canary"), "{words}: {said}");
    }
    let environment = [
        ("SERIESGATE_ADMIN", &*url),
        ("SERIESGATE_ADMIN_CA_FILE", &ca),
        ("SERIESGATE_ADMIN_USER", "r"),
        ("SERIESGATE_ADMIN_PASSWORD_FILE", &password),
    ];
    let (ended, said) = command(&["report", "--json"], &environment);
    assert!(ended == 0 && said.starts_with('{'), "{said}");
    let (_, help) = command(&["report", "--help"], &[("SERIESGATE_ADMIN_USER", "canary")]);
    assert!(help.contains("SERIESGATE_ADMIN_USER") && !help.contains("canary"), "{help}");
    gate.write_config(&Setup::to(sink.write_url()));
    let back = b"POST /-/reload HTTP/1.1\r\nhost: x\r\nauthorization: bearer tok\r\n\r\n";
    let answer = over_tls(gate.admin, authority.client(None, &[]), back).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    gate.finish().await;
}

/// What must not be seen: secrets of the config, as they are and encoded, and what senders took for one.
struct Canaries(Vec<String>);

impl Canaries {
    fn assert_unseen(&self, place: &str, text: &str) {
        for canary in &self.0 {
            assert!(!text.contains(canary), "{canary} in {place}:\n{text}");
        }
    }
}

fn check(config: &Path) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_seriesgate")).arg("check").arg(config).output().unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_seen_anywhere() {
    let sink = sink().await;
    let files = Files::new();
    let pair = Authority::new().sign(NAME);
    let of_key = pair.key.lines().nth(1).unwrap().to_owned();
    let file = files.put("password", "canary-pw-file\n");
    let token = files.put("token", "canary-token-file\n");
    let listen = format!(
        "auth: {{ users: [ {{ username: a, password: canary-pw }}, {{ username: b, password_file: '{file}' }}, \
         {{ bearer_token: canary-token }}, {{ bearer_token_file: '{token}' }} ] }}"
    );
    let setup = Setup::to(sink.write_url()).listen(&listen);
    let gate = setup.start().await;
    let pairs = [("a", "canary-pw"), ("b", "canary-pw-file"), ("a", "canary-typed")];
    let mut canaries = vec!["canary".to_owned(), of_key];
    canaries.extend(pairs.map(|(user, password)| STANDARD.encode(format!("{user}:{password}"))));
    let canaries = Canaries(canaries);
    let shown =
        [basic("a", "canary-pw"), basic("b", "canary-pw-file"), "Bearer canary-token-file".to_owned()];
    for known in &shown {
        assert_eq!(write_as(&gate, known).await.status, 204);
    }
    for wrong in [basic("a", "canary-typed"), "Bearer canary-typed".to_owned(), "canary-typed".to_owned()] {
        let reply = write_as(&gate, &wrong).await;
        assert_eq!(reply.status, 401);
        canaries.assert_unseen("an answer", &format!("{reply:?}"));
    }
    // one line for all of them, and who it was
    assert_eq!(gate.log().matches("write request refused: who may write has to say so").count(), 1);
    let rejected = http::get(&gate.admin_url("/api/v1/rejected")).await.unwrap().text;
    assert!(rejected.contains("\"unauthorized\"") && rejected.contains("\"times\":3"), "{rejected}");
    for path in ["/metrics", "/api/v1/rejected", "/api/v1/churn", "/"] {
        canaries.assert_unseen(path, &http::get(&gate.admin_url(path)).await.unwrap().text);
    }
    // mistakes beside them, a reload that fails, and one that does not
    let tls = files.put_pair(&pair);
    let mistakes = listen.replace("{ username: a,", "{ username: 'a:', nonsense: canary-x,");
    let text = gate.config_text(&Setup::to(sink.write_url()).listen(&format!("{mistakes}, {tls}")));
    gate.write_config_text(&text);
    let reply = gate.admin_post("/-/reload").await;
    assert_eq!(reply.status, 400);
    canaries.assert_unseen("a failed reload", &reply.text);
    let bad = files.put("bad.yaml", &text);
    let told = check(Path::new(&bad));
    assert!(told.contains("unknown key `nonsense`"), "{told}");
    canaries.assert_unseen("check", &told);
    files.put("tls.crt", &pair.key);
    let swapped = gate.config_text(&Setup::to(sink.write_url()).listen(&format!("{listen}, {tls}")));
    let told = check(Path::new(&files.put("swapped.yaml", &swapped)));
    assert!(told.contains("holds no PEM block of the kind expected"), "{told}");
    canaries.assert_unseen("check", &told);
    gate.write_config(&setup);
    let reply = gate.admin_post("/-/reload").await;
    assert_eq!(reply.status, 200);
    canaries.assert_unseen("a reload", &reply.text);
    canaries.assert_unseen("the log", &gate.log());
    gate.finish().await;
}
