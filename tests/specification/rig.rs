//! A gate before a backend that keeps what came.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request};
use prost::Message as _;
use seriesgate_proto::{encode_snappy, snappy};

use crate::series::{self, Series};
use crate::support::backend::{Backend, Seen, stored_all};
use crate::support::gate::{Gate, Setup};
use crate::support::http::{self, Reply};

pub(crate) const V2_TYPE: &str = "application/x-protobuf;proto=io.prometheus.write.v2.Request";

pub(crate) type Headers<'a> = &'a [(&'a str, &'a str)];

/// As Prometheus sends 1.0.
pub(crate) const V1: Headers<'_> = &[
    ("content-encoding", "snappy"),
    ("content-type", "application/x-protobuf"),
    ("user-agent", "specification/1"),
    ("x-prometheus-remote-write-version", "0.1.0"),
];

/// As Prometheus sends 2.0.
pub(crate) const V2: Headers<'_> = &[
    ("content-encoding", "snappy"),
    ("content-type", V2_TYPE),
    ("user-agent", "specification/2"),
    ("x-prometheus-remote-write-version", "2.0.0"),
];

/// The same headers, one of them with another value.
pub(crate) fn with<'a>(headers: Headers<'a>, name: &'a str, value: &'a str) -> Vec<(&'a str, &'a str)> {
    let mut all = without(headers, name);
    all.push((name, value));
    all
}

/// The same headers but for one.
pub(crate) fn without<'a>(headers: Headers<'a>, name: &str) -> Vec<(&'a str, &'a str)> {
    headers.iter().copied().filter(|(other, _)| *other != name).collect()
}

/// A request with these headers and no others but those of HTTP.
pub(crate) fn request(
    (method, to, path): (Method, SocketAddr, &str),
    headers: Headers<'_>,
    body: Vec<u8>,
) -> Request<Full<Bytes>> {
    let mut request = Request::builder().method(method).uri(format!("http://{to}{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Full::new(Bytes::from(body))).unwrap()
}

/// The body of a request of 1.0.
pub(crate) fn body_v1(all: &[Series]) -> Vec<u8> {
    encode_snappy(&series::v1(all))
}

/// The body of a request of 2.0.
pub(crate) fn body_v2(all: &[Series]) -> Vec<u8> {
    snappy(&series::v2(all).encode_to_vec())
}

/// What an answer says was written: samples, histograms and exemplars, each once and as a number.
pub(crate) fn written(reply: &Reply) -> Option<[u64; 3]> {
    let count = |kind: &str| -> Option<u64> {
        let name = format!("x-prometheus-remote-write-{kind}-written");
        let mut all = reply.headers.get_all(&name).iter();
        let first = all.next()?.to_str().unwrap().parse().unwrap();
        assert!(all.next().is_none(), "{name} is there more than once");
        Some(first)
    };
    match (count("samples"), count("histograms"), count("exemplars")) {
        (None, None, None) => None,
        (samples, histograms, exemplars) => Some([samples?, histograms?, exemplars?]),
    }
}

/// Whether there is a word for people where there has to be one, and none where there must not.
pub(crate) fn assert_spoken(reply: &Reply, of: &str) {
    match reply.status {
        204 => assert_eq!(reply.text, "", "{of}"),
        _ => assert!(reply.text.trim().len() > 10 && !reply.text.contains('\0'), "{of}: {}", reply.text),
    }
}

/// The two of them.
pub(crate) struct Rig {
    pub(crate) gate: Gate,
    pub(crate) backend: Backend,
    /// Requests at the backend that were looked at.
    looked: usize,
    rewrites: bool,
}

/// Gives each series one more label, so that nothing goes on as it came.
const REWRITE: &str = "name: mark, match: '{__name__!=\"\"}', action: relabel, relabel_configs: [ { target_label: zzz, replacement: z } ]";

impl Rig {
    /// A gate that sends what came as it came, where the backend takes it, and the backend takes all.
    pub(crate) async fn start() -> Self {
        Self::with(|setup| setup).await
    }

    /// One whose upstream is spoken to in this protocol; `rewritten`: in that of the sender, each series made anew.
    pub(crate) async fn speaking(protocol: &str) -> Self {
        if protocol == "rewritten" {
            let rig = Self::with(|setup| setup.policy(REWRITE)).await;
            return Self { rewrites: true, ..rig };
        }
        let keys = format!("protocol: {protocol}");
        Self::with(|setup| setup.upstream(&keys)).await
    }

    pub(crate) async fn with(change: impl FnOnce(Setup) -> Setup) -> Self {
        let backend = Backend::start(stored_all).await;
        let gate = change(Setup::to(backend.url())).start().await;
        Self { gate, backend, looked: 0, rewrites: false }
    }

    /// Posts a body under these headers.
    pub(crate) async fn post(&self, headers: Headers<'_>, body: Vec<u8>) -> Reply {
        let to = (Method::POST, self.gate.write, "/api/v1/write");
        http::send(request(to, headers, body)).await.unwrap()
    }

    pub(crate) async fn send_v1(&self, all: &[Series]) -> Reply {
        self.post(V1, body_v1(all)).await
    }

    pub(crate) async fn send_v2(&self, all: &[Series]) -> Reply {
        self.post(V2, body_v2(all)).await
    }

    /// The requests that came since the last look.
    pub(crate) fn seen(&mut self) -> Vec<Seen> {
        let new = self.backend.seen().split_off(self.looked);
        self.looked += new.len();
        new
    }

    /// The series that came since the last look.
    pub(crate) fn arrived(&mut self) -> Vec<Series> {
        let mut all: Vec<Series> = self.seen().iter().flat_map(said).collect();
        if self.rewrites {
            for series in &mut all {
                let at = series.labels.iter().position(|label| label.0 == "zzz").expect("it is rewritten");
                series.labels.remove(at);
            }
        }
        all
    }

    pub(crate) async fn finish(self) {
        self.gate.finish().await;
    }
}

/// What a request at the backend says.
pub(crate) fn said(seen: &Seen) -> Vec<Series> {
    if seen.is_v2() { series::of_v2(&seen.v2()) } else { series::of_v1(&seen.decoded()) }
}
