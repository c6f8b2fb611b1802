//! Tokens by client credentials: asked for when needed, renewed, dropped when they are refused; never shown.

use seriesgate::config::{OAuth2, Secret, Tls, Upstream as Settings, UpstreamAuth};
use seriesgate::egress::Reply;

use crate::upstream::{Gate, Seen, Step, Upstream, answer, http, ok, unavailable, until};

const SECRET: &str = "s3cr:et &more";

/// Settings of an upstream whose tokens come from there.
fn with_tokens(backend: &Upstream, server: &Upstream) -> Settings {
    let mut settings = http(backend.address);
    settings.auth = UpstreamAuth::OAuth2(Box::new(OAuth2 {
        client_id: "gate".to_owned(),
        client_secret: Secret::new(SECRET),
        token_url: format!("http://{}/token", server.address),
        scopes: vec!["metrics:write".to_owned(), "b".to_owned()],
        endpoint_params: vec![("audience".to_owned(), Secret::new("a/b"))],
        tls: Tls::default(),
    }));
    settings
}

fn token(name: &str, expires_in: &str) -> Step {
    let body = format!(r#"{{"access_token":"{name}","token_type":"Bearer","expires_in":{expires_in}}}"#);
    answer("200 OK", "content-type: application/json\r\n", &body)
}

fn form(seen: &Seen) -> Vec<(String, String)> {
    form_urlencoded::parse(&seen.body).into_owned().collect()
}

#[tokio::test]
async fn a_token_is_asked_for_once_and_sent_with_each_request() {
    let backend = Upstream::start(vec![ok(), ok(), ok()]).await;
    let server = Upstream::start(vec![token("tok-1", "3600")]).await;
    let gate = Gate::new(&with_tokens(&backend, &server));
    for _ in 0..3 {
        assert_eq!(gate.send().await, Reply::Accepted);
    }
    for seen in backend.seen() {
        assert_eq!(seen.header("authorization"), ["Bearer tok-1"]);
    }
    let asked = server.seen();
    assert_eq!((asked.len(), asked[0].line()), (1, "POST /token HTTP/1.1"));
    // each half is encoded as in a form, then both as Basic (RFC 6749, section 2.3.1)
    assert_eq!(asked[0].header("authorization"), ["Basic Z2F0ZTpzM2NyJTNBZXQrJTI2bW9yZQ=="]);
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let expected =
        [pair("grant_type", "client_credentials"), pair("scope", "metrics:write b"), pair("audience", "a/b")];
    assert_eq!(form(&asked[0]), expected);
}

#[tokio::test]
async fn a_server_that_wants_credentials_in_the_form_gets_them_there() {
    let backend = Upstream::start(vec![ok()]).await;
    let refused = answer("401 Unauthorized", "", r#"{"error":"invalid_client"}"#);
    let server = Upstream::start(vec![refused, token("tok-1", "\"3600\"")]).await;
    assert_eq!(Gate::new(&with_tokens(&backend, &server)).send().await, Reply::Accepted);
    let asked = server.seen();
    assert_eq!(asked[1].header("authorization"), [""; 0]);
    let [.., id, secret] = &form(&asked[1])[..] else { panic!("{asked:?}") };
    assert_eq!((id.1.as_str(), secret.1.as_str()), ("gate", SECRET));
}

#[tokio::test]
async fn a_token_is_renewed_before_it_ends_while_requests_go_on() {
    let backend = Upstream::start(vec![ok(); 200]).await;
    let server = Upstream::start(vec![token("tok-1", "1"), token("tok-2", "3600")]).await;
    let gate = Gate::new(&with_tokens(&backend, &server));
    let mut sent = 0;
    while backend.seen().iter().all(|seen| seen.header("authorization") != ["Bearer tok-2"]) {
        assert_eq!(gate.send().await, Reply::Accepted);
        sent += 1;
        assert!(sent < 200, "it is never renewed");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert!(sent > 2, "the first was of use");
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn a_server_without_tokens_is_said_so_and_asked_again_with_the_next_request() {
    let backend = Upstream::start(vec![ok()]).await;
    let down = || answer("503 Service Unavailable", "", &format!("down, {SECRET}"));
    let nonsense = answer("200 OK", "", "<html>");
    let server = Upstream::start(vec![down(), nonsense, token("tok-1", "3600")]).await;
    let gate = Gate::new(&with_tokens(&backend, &server));
    let cause = unavailable(gate.send().await);
    assert!(
        cause.ends_with("no token could be had for it (oauth2): the server answered 503: down, <secret>"),
        "{cause}"
    );
    let cause = unavailable(gate.send().await);
    assert!(cause.ends_with("the server's answer has no access_token"), "{cause}");
    assert!(backend.seen().is_empty(), "nothing goes out without");
    assert_eq!(gate.send().await, Reply::Accepted);
}

#[tokio::test]
async fn a_token_that_is_refused_is_not_asked_for_over_and_over_and_never_shown() {
    let quotes = || answer("401 Unauthorized", "", "bad token tok-secret-1");
    let backend = Upstream::start(vec![quotes(), quotes(), quotes()]).await;
    let server = Upstream::start(vec![token("tok-secret-1", "3600"); 3]).await;
    let gate = Gate::new(&with_tokens(&backend, &server));
    for _ in 0..3 {
        let cause = unavailable(gate.send().await);
        assert!(cause.contains("401") && cause.contains("bad token <secret>"), "{cause}");
    }
    assert_eq!(server.seen().len(), 1, "it was given just now");
}

#[tokio::test]
async fn senders_cannot_bring_a_token_of_their_own() {
    let backend = Upstream::start(vec![ok()]).await;
    let server = Upstream::start(vec![token("tok-1", "3600")]).await;
    let gate = Gate::new(&with_tokens(&backend, &server));
    assert!(gate.client.sets(&hyper::header::AUTHORIZATION));
    gate.send().await;
    until(|| !backend.seen().is_empty()).await;
    assert_eq!(backend.seen()[0].header("authorization"), ["Bearer tok-1"]);
}

#[tokio::test]
async fn requests_that_wait_for_a_token_do_not_each_ask_a_server_that_has_none() {
    let backend = Upstream::start(vec![ok()]).await;
    let server = Upstream::start(vec![answer("503 Service Unavailable", "", "down"); 10]).await;
    let gate = Gate::new(&with_tokens(&backend, &server));
    let send = || gate.send();
    let replies = tokio::join!(send(), send(), send(), send(), send(), send());
    for reply in [replies.0, replies.1, replies.2, replies.3, replies.4, replies.5] {
        assert!(unavailable(reply).contains("no token could be had"));
    }
    assert_eq!(server.seen().len(), 1);
}
