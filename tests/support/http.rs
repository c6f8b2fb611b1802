//! One request over a connection of its own.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{HeaderMap, Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

/// Longer than anything here takes.
const LIMIT: Duration = Duration::from_secs(60);

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Sends a request; an error says why there was no answer.
pub(crate) async fn send(request: Request<Full<Bytes>>) -> Result<Reply, String> {
    let exchange = async {
        let client = Client::builder(TokioExecutor::new()).build_http();
        let (head, body) = client.request(request).await.map_err(|error| format!("{error:?}"))?.into_parts();
        let body = body.collect().await.map_err(|error| format!("{error:?}"))?.to_bytes();
        let text = String::from_utf8_lossy(&body).into_owned();
        Ok(Reply { status: head.status.as_u16(), headers: head.headers, text })
    };
    tokio::time::timeout(LIMIT, exchange).await.map_err(|_| "no answer in time".to_owned())?
}

/// Gets a page.
pub(crate) async fn get(url: &str) -> Result<Reply, String> {
    send(Request::get(url).body(Full::default()).unwrap()).await
}

/// Posts nothing to a page.
pub(crate) async fn post(url: &str) -> Result<Reply, String> {
    send(Request::post(url).body(Full::default()).unwrap()).await
}

/// Whether `url` answers 200.
pub(crate) async fn is_ok(url: &str) -> bool {
    get(url).await.is_ok_and(|reply| reply.status == StatusCode::OK)
}

/// A write request of remote write 2.0 as Prometheus makes it.
pub(crate) fn write_v2(address: SocketAddr, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    Request::post(format!("http://{address}/api/v1/write"))
        .header("content-encoding", "snappy")
        .header("content-type", "application/x-protobuf;proto=io.prometheus.write.v2.Request")
        .header("x-prometheus-remote-write-version", "2.0.0")
        .header("user-agent", "end-to-end/2")
        .body(Full::new(body.into()))
        .unwrap()
}

/// A write request as Prometheus makes it.
pub(crate) fn write_request(address: SocketAddr, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    Request::post(format!("http://{address}/api/v1/write"))
        .header("content-encoding", "snappy")
        .header("content-type", "application/x-protobuf")
        .header("x-prometheus-remote-write-version", "0.1.0")
        .header("user-agent", "end-to-end/1")
        .body(Full::new(body.into()))
        .unwrap()
}
