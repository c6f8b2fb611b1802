//! What is scraped: pages of text over HTTP, with something that changes each time.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use seriesgate::clock::Clock;
use tokio::net::TcpListener;

/// Stands for the time of the scrape in a page.
const NOW: &str = "@NOW";

/// What one page showed at one time.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Stops with the runtime of its test.
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    shown: Arc<Mutex<Vec<Shown>>>,
}

impl Target {
    /// Serves pages by path.
    pub(crate) async fn start(pages: Vec<(&'static str, String)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shown = Arc::new(Mutex::new(Vec::new()));
        let (pages, all) = (Arc::new(pages), Arc::clone(&shown));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (pages, all) = (Arc::clone(&pages), Arc::clone(&all));
                let service = service_fn(move |request: Request<Incoming>| {
                    let answer = answer(&pages, &all, request.uri().path());
                    async move { Ok::<_, Infallible>(answer) }
                });
                let server = hyper::server::conn::http1::Builder::new();
                tokio::spawn(server.serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { address, shown }
    }

    /// All that was shown so far.
    pub(crate) fn shown(&self) -> Vec<Shown> {
        self.shown.lock().clone()
    }
}

fn answer(pages: &[(&str, String)], all: &Mutex<Vec<Shown>>, path: &str) -> Response<Full<Bytes>> {
    let Some((_, page)) = pages.iter().find(|(of, _)| *of == path) else {
        let mut response = Response::new(Full::default());
        *response.status_mut() = StatusCode::NOT_FOUND;
        return response;
    };
    let mut all = all.lock();
    let scrapes = all.iter().filter(|shown| shown.path == path).count() + 1;
    let mut text = page.replace(NOW, &(Clock::system().unix_ms() - 100).to_string());
    text.push_str(&format!("# TYPE end_to_end_scrapes_total counter\nend_to_end_scrapes_total {scrapes}\n"));
    all.push(Shown { path: path.to_owned(), text: text.clone() });
    let mut response = Response::new(Full::new(Bytes::from(text)));
    response.headers_mut().insert("content-type", "text/plain; version=0.0.4".parse().unwrap());
    response
}
