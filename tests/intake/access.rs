//! Who may write, and as which tenant.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use seriesgate::access::Prepared;
use seriesgate::config::{BasicAuth, Credentials, Secret, WriteUser};

use crate::harness::{Gate, Reply, request, write};

fn basic(username: &str, password: &str, tenant: Option<&str>) -> WriteUser {
    let basic = BasicAuth { username: username.to_owned(), password: Secret::new(password) };
    WriteUser { credentials: Credentials::Basic(basic), grant: tenant.map(str::to_owned) }
}

fn bearer(token: &str) -> WriteUser {
    WriteUser { credentials: Credentials::Bearer(Secret::new(token)), grant: None }
}

fn ask_for(gate: &Gate, users: &[WriteUser]) {
    gate.access.replace(Prepared::new(Some(users), None, false).unwrap());
}

fn pair(username: &str, password: &str) -> String {
    format!("Authorization: Basic {}\r\n", STANDARD.encode(format!("{username}:{password}")))
}

async fn write_with(gate: &Gate, headers: &str) -> Reply {
    gate.connect().await.exchange(request("POST /api/v1/write", headers, "body")).await
}

fn refused(gate: &Gate, reason: &str) -> f64 {
    gate.metric(&format!("seriesgate_undecodable_requests_total{{reason=\"{reason}\"}}"))
}

#[tokio::test]
async fn whoever_is_not_known_is_refused_unread() {
    let gate = Gate::start(|_| {});
    ask_for(&gate, &[basic("a", "right", None), bearer("token-1")]);
    let wrong = [
        String::new(),
        pair("a", "wrong"),
        pair("b", "right"),
        pair("a", ""),
        "Authorization: Bearer right\r\n".to_owned(),
        "Authorization: Digest username=\"a\"\r\n".to_owned(),
        format!("{}{}", pair("a", "right"), pair("a", "wrong")),
    ];
    for headers in &wrong {
        let reply = write_with(&gate, headers).await;
        assert_eq!((reply.status, reply.header("connection")), (401, Some("close")), "{headers}");
        let asked = reply.header("www-authenticate").unwrap();
        assert!(asked.starts_with("basic realm=") && asked.contains(", bearer realm="), "{asked}");
    }
    assert_eq!(refused(&gate, "unauthorized"), wrong.len() as f64);
    assert_eq!(gate.metric("seriesgate_request_bytes_total"), 0.0, "no body was read");
    assert!(gate.handler.seen.lock().is_empty());
    for headers in [pair("a", "right"), "Authorization: bearer token-1\r\n".to_owned()] {
        assert_eq!(write_with(&gate, &headers).await.status, 204);
        // they were for us
        let seen = gate.handler.seen.lock().pop().unwrap();
        assert!(!seen.headers.contains_key("authorization"), "{:?}", seen.headers);
    }
}

#[tokio::test]
async fn one_that_is_refused_and_goes_on_sending_gets_its_answer() {
    let gate = Gate::start(|_| {});
    ask_for(&gate, &[bearer("token-1")]);
    let reply = gate.connect().await.exchange(write(&"x".repeat(4 << 20))).await;
    assert_eq!((reply.status, refused(&gate, "unauthorized")), (401, 1.0));
}

#[tokio::test]
async fn probes_are_open_and_the_question_for_zstd_is_not() {
    let gate = Gate::start(|_| {});
    ask_for(&gate, &[bearer("token-1")]);
    for path in ["/-/healthy", "/-/ready"] {
        let reply = gate.connect().await.exchange(request(&format!("GET {path}"), "", "")).await;
        assert_ne!(reply.status, 401, "{path}");
    }
    let question = "GET /api/v1/write?get_vm_proto_version=1";
    assert_eq!(gate.connect().await.exchange(request(question, "", "")).await.status, 401);
    let headers = "Authorization: Bearer token-1\r\n";
    assert_eq!(gate.connect().await.exchange(request(question, headers, "")).await.status, 200);
}

#[tokio::test]
async fn a_bound_user_writes_as_its_tenant_and_no_other() {
    let gate = Gate::start(|_| {});
    ask_for(&gate, &[basic("a", "pw", Some("team-a")), basic("free", "pw", None)]);
    let (bound, free) = (pair("a", "pw"), pair("free", "pw"));
    for tenant in ["", "X-Scope-OrgID: team-a\r\n", "X-Scope-OrgID:\r\n"] {
        assert_eq!(write_with(&gate, &format!("{bound}{tenant}")).await.status, 204, "{tenant}");
        let seen = gate.handler.seen.lock().pop().unwrap();
        assert_eq!((&*seen.tenant, &seen.headers["x-scope-orgid"]), ("team-a", &"team-a".parse().unwrap()));
    }
    for other in ["X-Scope-OrgID: team-b", "THANOS-TENANT: b", "AccountID: 7", "X-Greptime-DB-Name: b"] {
        let reply = write_with(&gate, &format!("{bound}{other}\r\n")).await;
        assert_eq!(reply.status, 403, "{other}");
        assert_eq!(write_with(&gate, &format!("{free}{other}\r\n")).await.status, 204, "{other}");
    }
    let query = request("POST /api/v1/write?db=b", &bound, "body");
    assert_eq!(gate.connect().await.exchange(query).await.status, 403);
    let twice = format!("{bound}X-Scope-OrgID: team-a\r\nX-Scope-OrgID: team-b\r\n");
    assert_eq!(write_with(&gate, &twice).await.status, 400);
    assert_eq!((refused(&gate, "forbidden"), refused(&gate, "tenant")), (5.0, 1.0));
}

#[tokio::test]
async fn what_is_asked_for_changes_between_two_requests_of_one_connection() {
    let gate = Gate::start(|_| {});
    let mut sender = gate.connect().await;
    let old = request("POST /api/v1/write", "Authorization: Bearer old\r\n", "");
    let new = request("POST /api/v1/write", "Authorization: Bearer new\r\n", "");
    assert_eq!(sender.exchange(&old).await.status, 204);
    ask_for(&gate, &[bearer("old"), bearer("new")]);
    assert_eq!(sender.exchange(&old).await.status, 204);
    ask_for(&gate, &[bearer("new")]);
    assert_eq!(sender.exchange(&old).await.status, 401);
    assert_eq!(sender.exchange(&new).await.status, 204);
    gate.access.replace(Prepared::new(None, None, false).unwrap());
    assert_eq!(sender.exchange(&old).await.status, 204);
}
