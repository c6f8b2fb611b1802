//! Who sends: from which address, under which scope, and from when on.

#![allow(clippy::unwrap_used)] // the helpers are tests too

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use seriesgate_loadtest::proxy::ProxySpec;
use seriesgate_loadtest::run::{self, RunOptions};
use seriesgate_loadtest::scenario::Scenario;
use seriesgate_loadtest::sink::{Level, OnThread, SinkOptions};
use seriesgate_proto::WriteRequest;
use tokio::net::TcpListener;

const SCENARIO: &str = "
name: agents
every: 50ms
warm: 2
scrapes: 10
agents: 3
addresses: 2
scopes:
  - {}
  - headers: { AccountID: '1' }
  - { headers: { AccountID: '2', ProjectID: '3' }, query: 'a=b' }
joins: [{ agent: 2, at: 90s }]
shards: 1
metadata: false
source: { plain: { series: 200, shape: short6 } }
";

/// Address, account and query of a request.
type Sender = (IpAddr, String, String);
/// Time of its first sample, and how many samples came from it.
type Seen = Arc<Mutex<BTreeMap<Sender, (i64, usize)>>>;

async fn take(seen: Seen, peer: SocketAddr, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let text = |name: &str| {
        request.headers().get(name).map_or_else(String::new, |text| text.to_str().unwrap().to_owned())
    };
    let account = format!("{}:{}", text("AccountID"), text("ProjectID"));
    let query = request.uri().query().unwrap_or_default().to_owned();
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let mut raw = vec![0; snap::raw::decompress_len(&body).unwrap()];
    let len = snap::raw::Decoder::new().decompress(&body, &mut raw).unwrap();
    let body: WriteRequest = prost::Message::decode(&raw[..len]).unwrap();
    let first_ms = body.timeseries.iter().map(|series| series.samples[0].timestamp).min().unwrap();
    let mut seen = seen.lock();
    let of = seen.entry((peer.ip(), account, query)).or_insert((i64::MAX, 0));
    *of = (of.0.min(first_ms), of.1 + body.timeseries.len());
    Response::new(Full::default())
}

/// A receiver that takes everything and remembers from whom; it ends with the runtime.
async fn receiver(seen: Seen) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, peer)) = listener.accept().await {
            let seen = Arc::clone(&seen);
            let service = service_fn(move |request| {
                let seen = Arc::clone(&seen);
                async move { Ok::<_, Infallible>(take(seen, peer, request).await) }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    addr
}

#[test]
fn agents_have_their_address_their_scope_and_their_beginning() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let seen = Seen::default();
    let addr = runtime.block_on(receiver(Arc::clone(&seen)));
    let sink = OnThread::start(([127, 0, 0, 1], 0).into(), SinkOptions::default()).unwrap();
    let scenario = Scenario::parse(SCENARIO, Path::new(".")).unwrap();
    let variant = scenario.variant(None).unwrap();
    let spec = ProxySpec::Running { url: format!("http://{addr}/api/v1/write"), pid: None };
    let options = RunOptions {
        sink: Some(format!("http://{}", sink.handle().addr())),
        level: Level::Bytes,
        ..RunOptions::new(scenario, variant, spec)
    };
    run::run(&options, |_| {}).unwrap();
    let seen = seen.lock();
    let sender = |last: u8, account: &str, query: &str| {
        (IpAddr::from([127, 0, 0, last]), account.to_owned(), query.to_owned())
    };
    let all = [sender(1, ":", ""), sender(2, "1:", ""), sender(1, "2:3", "a=b")];
    assert_eq!(seen.keys().cloned().collect::<Vec<_>>(), {
        let mut sorted = all.to_vec();
        sorted.sort();
        sorted
    });
    // each scope has all series; the last agent misses six of twelve scrapes
    assert_eq!((seen[&all[0]].1, seen[&all[1]].1, seen[&all[2]].1), (2400, 2400, 1200));
    let later_ms = seen[&all[2]].0 - seen[&all[0]].0;
    assert!((75_000..105_000).contains(&later_ms), "{later_ms}");
}
