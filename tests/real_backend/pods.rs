//! What is scraped while pods come and go: a page on which each living pod has a counter that grows steadily and a gauge that
//! changes.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use seriesgate::clock::Clock;
use tokio::net::TcpListener;

/// What each pod counts in a second.
pub(crate) const PER_SECOND: f64 = 50.0;

/// One pod: its name, and when it was born (Unix milliseconds).
#[derive(Clone)]
struct Pod {
    name: String,
    born_ms: i64,
}

/// Pods behind one address. Stops with the runtime of its test.
pub(crate) struct Pods {
    pub(crate) address: SocketAddr,
    alive: Arc<Mutex<Vec<Pod>>>,
}

impl Pods {
    /// Serves these pods, which have run for an hour.
    pub(crate) async fn start(names: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let born_ms = Clock::system().unix_ms() - 3_600_000;
        let pods = names.iter().map(|name| Pod { name: (*name).to_owned(), born_ms });
        let alive = Arc::new(Mutex::new(pods.collect::<Vec<_>>()));
        let shown = Arc::clone(&alive);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shown = Arc::clone(&shown);
                let service = service_fn(move |_: Request<Incoming>| {
                    let page = page(&shown.lock(), Clock::system().unix_ms());
                    async move { Ok::<_, Infallible>(answer(page)) }
                });
                let server = hyper::server::conn::http1::Builder::new();
                tokio::spawn(server.serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { address, alive }
    }

    /// A pod goes, and another comes in its place that has counted nothing yet.
    pub(crate) fn replace(&self, gone: &str, name: &str) {
        let mut alive = self.alive.lock();
        let pod = alive.iter_mut().find(|pod| pod.name == gone).unwrap();
        *pod = Pod { name: name.to_owned(), born_ms: Clock::system().unix_ms() };
    }
}

fn page(pods: &[Pod], now_ms: i64) -> String {
    let mut page = String::from("# TYPE hits_total counter\n# TYPE memory_bytes gauge\n");
    for (number, Pod { name, born_ms }) in (1..).zip(pods) {
        let hits = ((now_ms - born_ms) as f64 / 1000.0 * PER_SECOND).floor();
        // each at its own pace
        let memory = 1000 * number + now_ms / 1000 * (number + 2) % 97;
        writeln!(page, "hits_total{{pod=\"{name}\"}} {hits}\nmemory_bytes{{pod=\"{name}\"}} {memory}")
            .unwrap();
    }
    page
}

fn answer(page: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(page)));
    response.headers_mut().insert("content-type", "text/plain; version=0.0.4".parse().unwrap());
    response
}
