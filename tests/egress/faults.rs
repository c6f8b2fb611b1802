//! Upstreams that do not answer, and connections that break.

use std::time::{Duration, Instant};

use seriesgate::clock;
use seriesgate::egress::Reply;
use tokio::net::TcpListener;

use crate::upstream::{BODY, Gate, Step, Upstream, answer, http, ok, settings, unavailable, until};

fn closed() -> Step {
    Step::AnswerAndClose(Vec::new())
}

#[tokio::test]
async fn a_refused_connection_names_upstream_and_host() {
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let gate = Gate::new(&http(address));
    let cause = unavailable(gate.send().await);
    assert_eq!(cause, format!("upstream primary ({address}): connection refused: nothing listens there"));
    assert_eq!(gate.counted("requests", Some(0)), 1);
    assert_eq!(gate.counted("bytes", None), 0, "nothing was sent");
    assert_eq!(gate.counted("retries", None), 0);
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_said_so() {
    let mut settings = settings("http://backend.invalid/api/v1/write".to_owned());
    settings.timeout = Duration::from_secs(30);
    let cause = unavailable(Gate::new(&settings).send().await);
    assert!(cause.starts_with("upstream primary (backend.invalid): the name does not resolve"), "{cause}");
}

#[tokio::test]
async fn a_silent_upstream_is_given_up_after_the_timeout() {
    let upstream = Upstream::start(vec![Step::Hang(Vec::new())]).await;
    let mut settings = http(upstream.address);
    settings.timeout = Duration::from_millis(300);
    let gate = Gate::new(&settings);
    let start: Instant = clock::monotonic();
    let cause = unavailable(gate.send().await);
    let took = start.elapsed();
    assert!(cause.ends_with("no answer within 300ms"), "{cause}");
    assert!(Duration::from_millis(300) <= took && took < Duration::from_secs(2), "{took:?}");
    upstream.until_hung_up().await;
    assert_eq!(gate.counted("requests", Some(0)), 1);
    assert_eq!(gate.counted("bytes", None), BODY.len() as u64);
}

#[tokio::test]
async fn the_timeout_covers_both_tries() {
    let upstream = Upstream::start(vec![ok(), closed(), Step::Hang(Vec::new())]).await;
    let mut settings = http(upstream.address);
    settings.timeout = Duration::from_millis(300);
    let gate = Gate::new(&settings);
    assert_eq!(gate.send().await, Reply::Accepted);
    let cause = unavailable(gate.send().await);
    assert!(cause.ends_with("no answer within 300ms"), "{cause}");
    assert_eq!(gate.counted("requests", Some(0)), 2);
}

#[tokio::test]
async fn an_answer_that_is_not_http_is_garbage() {
    for garbage in [
        &b"SSH-2.0-OpenSSH_9.2\r\n"[..],
        b"HTTP/1.1 2xx OK\r\n\r\n",
        b"\x16\x03\x01\0\0",
        b"HTTP/1.1 200 OK\r\nb\0d: 1\r\n\r\n",
    ] {
        let upstream = Upstream::start(vec![Step::AnswerAndClose(garbage.to_vec())]).await;
        let gate = Gate::new(&http(upstream.address));
        let cause = unavailable(gate.send().await);
        assert!(cause.contains("the answer is not HTTP/1.1"), "{cause}");
        assert_eq!(upstream.connections(), 1, "not tried again");
    }
}

#[tokio::test]
async fn an_answer_cut_inside_its_head_is_no_answer() {
    let upstream = Upstream::start(vec![Step::AnswerAndClose(b"HTTP/1.1 204 No Con".to_vec())]).await;
    let gate = Gate::new(&http(upstream.address));
    let cause = unavailable(gate.send().await);
    assert!(cause.contains("closed before an answer came"), "{cause}");
    assert_eq!((upstream.connections(), gate.counted("retries", None)), (1, 0));
}

#[tokio::test]
async fn connections_are_kept_between_requests() {
    let upstream =
        Upstream::start(vec![ok(), answer("200 OK", "", "fine"), answer("503 x", "", "no"), ok()]).await;
    let gate = Gate::new(&http(upstream.address));
    for _ in 0..8 {
        gate.send().await;
    }
    assert_eq!((upstream.connections(), upstream.seen().len()), (1, 8));
}

#[tokio::test]
async fn idle_connections_are_closed_after_the_idle_timeout() {
    let upstream = Upstream::start(vec![ok()]).await;
    let mut settings = http(upstream.address);
    settings.idle_timeout = Duration::from_millis(50);
    let gate = Gate::new(&settings);
    gate.send().await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    gate.send().await;
    assert_eq!(upstream.connections(), 2);
}

#[tokio::test]
async fn old_connections_are_left_for_new_ones_and_cut_no_request() {
    let late = Step::AnswerLate(Duration::from_millis(600), b"HTTP/1.1 204 No Content\r\n\r\n".to_vec());
    let upstream = Upstream::start(vec![ok(), late, ok()]).await;
    let mut settings = http(upstream.address);
    settings.max_connection_age = Duration::from_millis(200);
    let gate = Gate::new(&settings);
    assert_eq!(gate.send().await, Reply::Accepted);
    tokio::time::sleep(Duration::from_millis(300)).await;
    // this one is under way while its connection reaches its age, and another request goes by a third
    let (slow, quick) = tokio::join!(gate.send(), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        gate.send().await
    });
    assert_eq!((slow, quick), (Reply::Accepted, Reply::Accepted));
    let connections: Vec<_> = upstream.seen().iter().map(|seen| seen.connection).collect();
    assert_eq!(connections, [0, 1, 2]);
    assert_eq!((gate.counted("connections_aged", None), gate.counted("retries", None)), (2, 0));
}

#[tokio::test]
async fn a_kept_connection_closed_under_a_request_costs_one_retry_on_a_fresh_one() {
    let upstream = Upstream::start(vec![ok(), closed(), ok()]).await;
    let gate = Gate::new(&http(upstream.address));
    assert_eq!(gate.send().await, Reply::Accepted);
    assert_eq!(gate.send().await, Reply::Accepted);

    let connections: Vec<usize> = upstream.seen().iter().map(|seen| seen.connection).collect();
    assert_eq!(connections, [0, 0, 1]);
    assert!(upstream.seen().iter().all(|seen| seen.body == BODY));
    assert_eq!(gate.counted("requests", Some(204)), 2);
    assert_eq!(gate.counted("requests", Some(0)), 1);
    assert_eq!(gate.counted("retries", None), 1);
    assert_eq!(gate.counted("bytes", None), 3 * BODY.len() as u64);
}

#[tokio::test]
async fn a_retry_passes_over_other_kept_connections() {
    // two requests at once leave two kept connections; the retry must use neither
    let late = Step::Answer(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec());
    let upstream = Upstream::start(vec![late.clone(), late, closed(), ok()]).await;
    let gate = Gate::new(&http(upstream.address));
    tokio::join!(gate.send(), gate.send());
    assert_eq!(gate.send().await, Reply::Accepted);
    let connections: Vec<usize> = upstream.seen().iter().map(|seen| seen.connection).collect();
    let (retry, before) = connections.split_last().unwrap();
    assert!(before.len() == 3 && !before.contains(retry), "{connections:?}");
}

#[tokio::test]
async fn closed_twice_is_unavailable() {
    let upstream = Upstream::start(vec![ok(), closed()]).await;
    let gate = Gate::new(&http(upstream.address));
    assert_eq!(gate.send().await, Reply::Accepted);
    let cause = unavailable(gate.send().await);
    assert!(cause.contains("closed before an answer came"), "{cause}");
    assert_eq!((upstream.seen().len(), upstream.connections()), (3, 2));
    assert_eq!((gate.counted("requests", Some(0)), gate.counted("retries", None)), (2, 1));
}

#[tokio::test]
async fn an_upstream_that_closes_on_every_request_does_not_get_each_twice() {
    let upstream = Upstream::start(vec![closed()]).await;
    let gate = Gate::new(&http(upstream.address));
    for _ in 0..3 {
        unavailable(gate.send().await);
    }
    assert_eq!((upstream.seen().len(), gate.counted("retries", None)), (3, 0));
}

#[tokio::test]
async fn giving_a_request_up_closes_its_connection_and_is_counted() {
    let upstream = Upstream::start(vec![Step::Hang(Vec::new())]).await;
    let gate = Gate::new(&http(upstream.address));
    {
        let send = gate.send();
        tokio::pin!(send);
        tokio::select! {
            reply = &mut send => panic!("{reply:?}"),
            () = until(|| !upstream.seen().is_empty()) => {}
        }
    }
    upstream.until_hung_up().await;
    assert_eq!(gate.counted("requests", Some(0)), 1);
}
