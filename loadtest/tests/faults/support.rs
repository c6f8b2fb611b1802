//! A proxy that does one thing wrong.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use prost::Message;
use seriesgate_loadtest::client::{Client, Reach, Target};
use seriesgate_proto::{TimeSeries, WriteRequest, encode_snappy};
use tokio::net::TcpListener;
use tokio::sync::Mutex;

/// What the proxy does to the samples that pass.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// One sample in so many is not sent on.
    Drops(u64),
    /// The lowest bit of the value of one sample in so many is another.
    AltersABit(u64),
    /// One body in so many is sent on twice.
    DoubleSends(u64),
    /// One sample in so many is kept back until its series has a newer one.
    Reorders(u64),
    /// One sample in so many is sent on under a name that nobody sent, too.
    Invents(u64),
    /// One sample in so many is sent on a millisecond later.
    Delays(u64),
}

struct State {
    fault: Fault,
    samples: u64,
    bodies: u64,
    kept: Vec<TimeSeries>,
    upstream: Target,
}

/// Starts a proxy towards a URL; it ends with the runtime.
pub(crate) async fn proxy(fault: Fault, upstream: &str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let upstream = Target::parse(upstream, Reach::Loopback).unwrap();
    let state = Arc::new(Mutex::new(State { fault, samples: 0, bodies: 0, kept: Vec::new(), upstream }));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let state = Arc::clone(&state);
            let service = service_fn(move |request| pass(Arc::clone(&state), request));
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    addr
}

async fn pass(
    state: Arc<Mutex<State>>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = request.into_body().collect().await.unwrap().to_bytes();
    // one body at a time: the proxy itself keeps every order
    let mut state = state.lock().await;
    let mut raw = vec![0; snap::raw::decompress_len(&body).unwrap()];
    let len = snap::raw::Decoder::new().decompress(&body, &mut raw).unwrap();
    let mut request = WriteRequest::decode(&raw[..len]).unwrap();
    state.tamper(&mut request);
    let times = match state.fault {
        Fault::DoubleSends(every) if state.bodies.is_multiple_of(every) => 2,
        _ => 1,
    };
    let mut status = StatusCode::NO_CONTENT;
    for _ in 0..times {
        let mut client = Client::new(state.upstream.clone());
        let answer = client.post(encode_snappy(&request).into(), std::time::Duration::from_secs(10)).await;
        status = answer.map_or(StatusCode::BAD_GATEWAY, |answer| answer.status);
    }
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    Ok(response)
}

impl State {
    fn hits(&mut self, every: u64) -> bool {
        self.samples += 1;
        self.samples.is_multiple_of(every)
    }

    fn tamper(&mut self, request: &mut WriteRequest) {
        self.bodies += 1;
        let back: Vec<TimeSeries> = self
            .kept
            .extract_if(.., |kept| request.timeseries.iter().any(|series| series.labels == kept.labels))
            .collect();
        let mut invented = Vec::new();
        let fault = self.fault;
        request.timeseries.retain_mut(|series| {
            let Some(sample) = series.samples.first_mut() else { return true };
            match fault {
                Fault::Drops(every) => return !self.hits(every),
                Fault::AltersABit(every) if self.hits(every) => {
                    sample.value = f64::from_bits(sample.value.to_bits() ^ 1);
                }
                Fault::Delays(every) if self.hits(every) => sample.timestamp += 1,
                Fault::Invents(every) if self.hits(every) => {
                    let mut other = series.clone();
                    other.labels.push(seriesgate_proto::Label::new("zz", "invented"));
                    invented.push(other);
                }
                Fault::Reorders(every) if self.hits(every) => {
                    self.kept.push(series.clone());
                    return false;
                }
                _ => {}
            }
            true
        });
        request.timeseries.extend(back.into_iter().chain(invented));
    }
}
