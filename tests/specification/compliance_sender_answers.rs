//! Twins of cases of the public compliance suite for senders: answers, failures, fallback, load. See `compliance_sender`.

use std::time::Duration;

use crate::compliance_sender::{now, of};
use crate::rig::{Rig, written};
use crate::series::{self, Series};
use crate::support::backend::{Step, answer, stored, stored_all};
use crate::support::gate::Setup;
use crate::support::ports;

/// Requests side by side, and one after the other: each arrives once, and those of a series in order.
#[tokio::test(flavor = "multi_thread")]
async fn load() {
    let mut rig = Rig::speaking("rewritten").await;
    let sender = async |worker: usize| {
        let mut sent = Vec::new();
        for n in 0..20 {
            let series = Series::of(&[("__name__", "m"), ("worker", &worker.to_string())])
                .sample(1_700_000_000_000 + n, n as f64);
            assert_eq!(rig.send_v2(std::slice::from_ref(&series)).await.status, 204);
            sent.push(series);
        }
        sent
    };
    let all =
        tokio::join!(sender(0), sender(1), sender(2), sender(3), sender(4), sender(5), sender(6), sender(7));
    let all = [all.0, all.1, all.2, all.3, all.4, all.5, all.6, all.7];
    let arrived = rig.arrived();
    assert_eq!(arrived.len(), 160);
    for sent in all {
        let of_one: Vec<_> =
            arrived.iter().filter(|series| series.labels == sent[0].labels).cloned().collect();
        assert_eq!(of_one, sent);
    }
    rig.finish().await;
}

/// What it is, the answer, what the sender is told, and requests at most.
type Answer = (&'static str, Box<dyn Fn() -> Step + Send>, u16, usize);

/// Whatever the upstream answers: what its sender is told, and how many requests that took.
#[tokio::test(flavor = "multi_thread")]
async fn answers() {
    let rig = Rig::with(|setup| setup.upstream("timeout: 1s")).await;
    let series = [of("up").sample(now(), 1.0)];
    assert_eq!(rig.send_v2(&series).await.status, 204);
    let large: String = "too bad. ".repeat(120_000);
    let garbage = || Step::AnswerAndClose("HTTP/1.1 boom\r\n\r\n".to_owned());
    let closes = || Step::AnswerAndClose(String::new());
    let half =
        || Step::AnswerAndClose("HTTP/1.1 400 Bad Request\r\ncontent-length: 99\r\n\r\nhalf".to_owned());
    let rows: Vec<Answer> = vec![
        (
            "200 with counts",
            Box::new(|| answer("200 OK", "x-prometheus-remote-write-samples-written: 1\r\n", "{}")),
            204,
            1,
        ),
        ("400", Box::new(|| answer("400 Bad Request", "", "no")), 400, 1),
        ("401", Box::new(|| answer("401 Unauthorized", "", "no")), 503, 1),
        ("404", Box::new(|| answer("404 Not Found", "", "no")), 503, 1),
        ("413", Box::new(|| answer("413 Payload Too Large", "", "no")), 400, 1),
        ("429", Box::new(|| answer("429 Too Many Requests", "", "no")), 429, 1),
        ("500", Box::new(|| answer("500 No", "", "no")), 500, 1),
        ("502", Box::new(|| answer("502 No", "", "no")), 502, 1),
        ("503", Box::new(|| answer("503 No", "", "no")), 503, 1),
        ("504", Box::new(|| answer("504 No", "", "no")), 504, 1),
        ("999", Box::new(|| answer("999 Odd", "", "no")), 503, 1),
        ("a large error", Box::new(move || answer("500 No", "", &large)), 500, 1),
        ("an error cut off", Box::new(half), 400, 1),
        ("no HTTP", Box::new(garbage), 503, 1),
        // a kept connection that was closed: once more on a new one, which writes nothing twice
        ("nothing", Box::new(closes), 503, 2),
        ("no answer in time", Box::new(|| Step::Hold), 503, 1),
        (
            "200 again",
            Box::new(|| answer("204 No Content", "x-prometheus-remote-write-samples-written: 1\r\n", "")),
            204,
            1,
        ),
    ];
    for (what, step, told, requests) in rows {
        let before = rig.backend.seen().len();
        rig.backend.answer_by(move |_| step());
        let reply = rig.send_v2(&series).await;
        assert_eq!(reply.status, told, "{what}: {}", reply.text);
        let expected = if told == 204 { [1, 0, 0] } else { [0; 3] };
        assert_eq!(written(&reply), Some(expected), "{what}");
        assert!(reply.text.len() < 4096, "{what}");
        let seen = rig.backend.seen().len() - before;
        assert!((1..=requests).contains(&seen), "{what}: {seen}");
    }
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn networks() {
    let series = [of("up").sample(now(), 1.0)];
    let nobody = format!("http://{}/write", ports::free());
    for (what, url) in [("refused", nobody.as_str()), ("no such name", "http://no-such-host.invalid/write")] {
        let gate = Setup::to(url).start().await;
        let reply = tokio::time::timeout(Duration::from_secs(40), gate.post(crate::rig::body_v1(&series)))
            .await
            .unwrap();
        assert_eq!(reply.status, 503, "{what}: {}", reply.text);
        gate.finish().await;
    }
    let (mut run, _dir) =
        crate::support::gate::command("upstreams: [ { name: a, url: 'ftp://host/write' } ]\n");
    assert!(!run.output().unwrap().status.success(), "a scheme that is none of HTTP");
}

/// Once 1.0 is known to be all that is taken, it stays so; who takes 2.0 is sent nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn fallback() {
    let series = [of("up").sample(now(), 1.0)];
    let mut rig = Rig::start().await;
    rig.backend.answer_by(|seen| {
        if seen.is_v2() { answer("415 Unsupported Media Type", "", "no") } else { stored() }
    });
    for _ in 0..5 {
        assert_eq!(rig.send_v2(&series).await.status, 204);
    }
    let forms: Vec<bool> = rig.seen().iter().map(|seen| seen.is_v2()).collect();
    assert_eq!(forms, [true, false, false, false, false, false]);
    rig.finish().await;
    let mut rig = Rig::start().await;
    rig.backend.answer_by(stored_all);
    for _ in 0..5 {
        assert_eq!(rig.send_v2(&series).await.status, 204);
    }
    assert_eq!(rig.seen().iter().filter(|seen| seen.is_v2()).count(), 5);
    rig.finish().await;
}

/// A text that many series have stands in the table once, however it came.
#[tokio::test(flavor = "multi_thread")]
async fn symbols() {
    let ms = now();
    let all: Vec<Series> = (0..500)
        .map(|n| Series::of(&[("__name__", "m"), ("job", "same"), ("pod", &format!("p{n}"))]).sample(ms, 1.0))
        .collect();
    let mut rig = Rig::speaking("v2").await;
    assert_eq!(rig.send_v1(&all).await.status, 204);
    let made = rig.seen()[0].v2();
    assert_eq!(series::of_v2(&made), all);
    assert_eq!(made.symbols.len(), 1 + 5 + 500);
    rig.finish().await;
}
