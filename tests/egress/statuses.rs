//! What an upstream's answer becomes.

use std::time::Duration;

use seriesgate::config::{OnThrottle, Secret, UpstreamAuth};
use seriesgate::egress::Reply;

use crate::upstream::{Gate, Step, Upstream, answer, http, ok, unavailable};

async fn reply_to(step: Step) -> Reply {
    let upstream = Upstream::start(vec![step]).await;
    Gate::new(&http(upstream.address)).send().await
}

#[tokio::test]
async fn every_status_becomes_what_the_contract_says() {
    // 101 and 1xx have tests of their own
    for code in (200..=599).chain([600, 777, 999]) {
        // a 204 and a 304 have no body, whatever they say
        let said = if matches!(code, 204 | 304) { "" } else { "because" };
        let reply = reply_to(answer(&format!("{code} Whatever"), "", said)).await;
        let excerpt = "because".to_owned();
        match code {
            200..=299 => assert_eq!(reply, Reply::Accepted, "{code}"),
            400 | 409 | 422 => {
                let status = hyper::StatusCode::from_u16(code).unwrap();
                assert_eq!(reply, Reply::Invalid { status, excerpt, written: None }, "{code}");
            }
            413 => assert_eq!(reply, Reply::TooLarge { excerpt }, "{code}"),
            429 => assert_eq!(reply, Reply::Throttled { retry_after: None, excerpt }, "{code}"),
            _ => {
                let Reply::Unavailable { status, retry_after, cause } = reply else {
                    panic!("{code}: {reply:?}")
                };
                let told = if (500..=599).contains(&code) { code } else { 503 };
                assert_eq!((status.as_u16(), retry_after), (told, None), "{code}");
                assert!(
                    cause.contains(&format!("answered {code}")) && cause.contains("upstream primary"),
                    "{cause}"
                );
            }
        }
    }
}

#[tokio::test]
async fn interim_answers_are_skipped_and_a_switch_of_protocols_is_garbage() {
    let interim =
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n";
    assert_eq!(reply_to(Step::Answer(interim.to_vec())).await, Reply::Accepted);
    let switched = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n";
    let cause = unavailable(reply_to(Step::Answer(switched.to_vec())).await);
    assert!(cause.contains("no final HTTP status"), "{cause}");
}

#[tokio::test]
async fn our_own_mistakes_cost_the_sender_nothing_and_are_explained() {
    for (status, hint) in
        [("401 x", "credentials"), ("403 x", "credentials"), ("404 x", "path"), ("405 x", "path")]
    {
        let cause = unavailable(reply_to(answer(status, "", "go away")).await);
        assert!(cause.contains(hint) && cause.ends_with("it says: go away"), "{cause}");
    }
}

#[tokio::test]
async fn redirects_are_not_followed_but_shown_without_their_path() {
    let target = Upstream::start(vec![ok()]).await;
    let location = format!("location: http://{}/token/write?key=1\r\n", target.address);
    let cause = unavailable(reply_to(answer("307 Temporary Redirect", &location, "")).await);
    assert!(cause.contains(&format!("(http://{})", target.address)), "{cause}");
    assert!(!cause.contains("token") && target.connections() == 0);
}

#[tokio::test]
async fn throttling_may_be_turned_into_a_503() {
    let upstream =
        Upstream::start(vec![answer("429 Too Many Requests", "retry-after: 10\r\n", "slow down")]).await;
    let mut settings = http(upstream.address);
    let Reply::Throttled { retry_after, excerpt } = Gate::new(&settings).send().await else { panic!() };
    let wait = retry_after.unwrap();
    assert!(Duration::from_secs(10) <= wait && wait <= Duration::from_secs(12), "{wait:?}");
    assert_eq!(excerpt, "slow down");

    settings.on_throttle = OnThrottle::Retry;
    let Reply::Unavailable { status, retry_after, .. } = Gate::new(&settings).send().await else { panic!() };
    assert_eq!((status.as_u16(), retry_after), (503, Some(wait)), "the same seed gives the same jitter");
}

#[tokio::test]
async fn retry_after_is_read_capped_and_only_passed_on_when_sent() {
    let second = Duration::from_secs(1);
    for (header, range) in [
        ("", None),
        ("retry-after: soon\r\n", None),
        ("retry-after: 0\r\n", Some((0, 0))),
        ("Retry-After: 5\r\n", Some((5, 6))),
        ("retry-after: 86400\r\n", Some((25, 30))),
        ("retry-after: Fri, 31 Dec 2100 23:59:59 GMT\r\n", Some((25, 30))),
        ("retry-after: Sun, 06 Nov 1994 08:49:37 GMT\r\n", Some((0, 0))),
    ] {
        let reply = reply_to(answer("503 Service Unavailable", header, "")).await;
        let Reply::Unavailable { retry_after, .. } = reply else { panic!("{reply:?}") };
        match (retry_after, range) {
            (None, None) => {}
            (Some(wait), Some((low, high))) if second * low <= wait && wait <= second * high => {}
            other => panic!("{header}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_long_answer_is_cut_and_a_very_long_one_costs_its_connection() {
    for (size, connections) in [(60 << 10, 1), (10 << 20, 2)] {
        let upstream = Upstream::start(vec![answer("400 Bad Request", "", &"x".repeat(size)), ok()]).await;
        let gate = Gate::new(&http(upstream.address));
        let Reply::Invalid { excerpt, .. } = gate.send().await else { panic!() };
        assert_eq!(excerpt, "x".repeat(1024));
        assert_eq!(gate.send().await, Reply::Accepted);
        assert_eq!(upstream.connections(), connections, "{size}");
    }
}

#[tokio::test]
async fn an_answer_that_quotes_our_credentials_is_not_repeated() {
    let upstream = Upstream::start(vec![answer("400 Bad Request", "", "no: Bearer s3cr3t-t0ken\x07!")]).await;
    let mut settings = http(upstream.address);
    settings.auth = UpstreamAuth::Bearer(Secret::new("s3cr3t-t0ken"));
    let Reply::Invalid { excerpt, .. } = Gate::new(&settings).send().await else { panic!() };
    assert_eq!(excerpt, "no: Bearer <secret>\u{fffd}!");
}

#[tokio::test]
async fn an_answer_that_quotes_the_url_or_what_the_sender_gave_is_not_repeated() {
    let quoted =
        "cannot POST /t0ken-of-a-path/write?key=t0ken-of-ours&db=t0ken-of-a-sender by t0ken-in-a-header";
    let upstream = Upstream::start(vec![answer("404 Not Found", "", quoted)]).await;
    let mut settings = http(upstream.address);
    settings.url = settings.url.replace("/api/v1/write", "/t0ken-of-a-path/write?key=t0ken-of-ours");
    settings.forward_authorization = true;
    let mut outbound = crate::upstream::outbound();
    outbound.query = Some("db=t0ken-of-a-sender".to_owned());
    outbound.headers.insert("authorization", "Bearer t0ken-in-a-header".parse().unwrap());
    let Reply::Unavailable { cause, .. } = Gate::new(&settings).client.send(outbound).await else { panic!() };
    assert!(cause.contains("cannot POST") && !cause.contains("t0ken"), "{cause}");
}

#[tokio::test]
async fn an_answer_given_before_the_body_is_read_counts() {
    let early = b"HTTP/1.1 413 Payload Too Large\r\ncontent-length: 3\r\n\r\nbig".to_vec();
    let upstream = Upstream::start(vec![Step::AnswerEarly(early)]).await;
    let gate = Gate::new(&http(upstream.address));
    let mut outbound = crate::upstream::outbound();
    outbound.body = vec![0; 16 << 20].into();
    assert_eq!(gate.client.send(outbound).await, Reply::TooLarge { excerpt: "big".to_owned() });
}

#[tokio::test]
async fn a_status_stands_even_if_its_text_breaks_off_or_never_comes() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nstart".to_vec();
    assert_eq!(reply_to(Step::AnswerAndClose(head.clone())).await, Reply::Accepted);

    let upstream = Upstream::start(vec![Step::Hang(head)]).await;
    let mut settings = http(upstream.address);
    settings.timeout = Duration::from_millis(200);
    assert_eq!(Gate::new(&settings).send().await, Reply::Accepted);

    let head = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 100\r\n\r\nstart".to_vec();
    let Reply::Invalid { excerpt, .. } = reply_to(Step::AnswerAndClose(head)).await else { panic!() };
    assert_eq!(excerpt, "start");
}
