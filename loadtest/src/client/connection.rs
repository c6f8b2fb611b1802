//! One keep-alive connection to a receiver, and one remote-write request at a time over it.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{HOST, HeaderMap, HeaderValue, USER_AGENT};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use super::target::Target;
use crate::clock;
use crate::protocol::{Protocol, Version};

/// The most of an answer that is read.
const MAX_ANSWER_BYTES: usize = 1 << 20;
/// The most of it that is shown, in bytes.
const MAX_EXCERPT_BYTES: usize = 200;

/// Posts bodies to one receiver. Connects when first needed, and anew after a failure.
pub struct Client {
    target: Target,
    sender: Option<SendRequest<Full<Bytes>>>,
}

/// What a receiver said to one body.
#[derive(Clone, Debug)]
pub struct WriteResponse {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its text.
    pub body: Bytes,
    /// From sending the request to the end of the answer; connecting is not part of it.
    pub took: Duration,
}

impl WriteResponse {
    /// The beginning of the answer's text.
    pub fn excerpt(&self) -> String {
        String::from_utf8_lossy(&self.body[..self.body.len().min(MAX_EXCERPT_BYTES)]).trim().to_owned()
    }

    /// Whether so many samples were taken. To a sender of 2.0 a receiver has to say so, as one that knows only 1.0 finds nothing
    /// in a body of 2.0 and takes that: Prometheus counts such a body as lost.
    pub fn takes(&self, samples: u64, protocol: Protocol) -> Result<(), String> {
        if !self.status.is_success() || protocol.form().version == Version::One {
            return Ok(());
        }
        let header = "x-prometheus-remote-write-samples-written";
        let said = self.headers.get(header).map(|said| String::from_utf8_lossy(said.as_bytes()));
        match said {
            Some(said) if said.parse() == Ok(samples) => Ok(()),
            Some(said) => Err(format!("{}, and {said} of {samples} samples were written", self.status)),
            None => Err(format!("{} without {header}: nothing of 2.0 was taken", self.status)),
        }
    }
}

impl Client {
    /// A client that is not connected yet.
    pub fn new(target: Target) -> Self {
        Self { target, sender: None }
    }

    /// Posts one body in the target's protocol, and waits for the answer up to `limit`. Any status is
    /// an answer; an error means that there was none.
    pub async fn post(&mut self, body: Bytes, limit: Duration) -> Result<WriteResponse> {
        // taken out, so that a failure or a dropped call leaves no half-used connection behind
        let mut sender = match self.sender.take().filter(|sender| !sender.is_closed()) {
            Some(sender) => sender,
            None => timeout(limit, self.connect()).await.context("connecting took too long")??,
        };
        let request = self.request(body);
        let exchange = exchange(&mut sender, request, MAX_ANSWER_BYTES);
        let answer = timeout(limit, exchange).await.context("no answer in time")??;
        self.sender = Some(sender);
        Ok(answer)
    }

    /// Asks for the target's path with any method; up to a minute, and 4 GiB of an answer.
    pub async fn ask(&mut self, method: Method, body: Bytes) -> Result<WriteResponse> {
        const LIMIT: Duration = Duration::from_secs(60);
        let mut sender = timeout(LIMIT, self.connect()).await.context("connecting took too long")??;
        let mut request = self.request(body);
        *request.method_mut() = method;
        timeout(LIMIT, exchange(&mut sender, request, u32::MAX as usize))
            .await
            .context("no answer in time")?
    }

    /// Opens the connection if there is none, to find out whether that is possible.
    pub async fn reach(&mut self, limit: Duration) -> Result<()> {
        if self.sender.is_none() {
            self.sender = Some(timeout(limit, self.connect()).await.context("connecting took too long")??);
        }
        Ok(())
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>> {
        let addr = self.target.addr;
        let stream = match self.target.from {
            None => TcpStream::connect(addr).await,
            Some(from) => connect_from(from, addr).await,
        };
        let stream = stream.with_context(|| format!("cannot connect to {addr}"))?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // its errors reach the requests that are waiting on it
        tokio::spawn(connection);
        Ok(sender)
    }

    fn request(&self, body: Bytes) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.target.path.clone();
        let headers = request.headers_mut();
        headers.insert(HOST, self.target.host.clone());
        for (name, value) in self.target.protocol.headers() {
            headers.insert(name, HeaderValue::from_static(value));
        }
        headers.insert(USER_AGENT, HeaderValue::from_static("seriesgate-loadtest"));
        for (name, value) in &self.target.headers {
            headers.insert(name, value.clone());
        }
        request
    }
}

async fn connect_from(from: IpAddr, addr: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    socket.connect(addr).await
}

async fn exchange(
    sender: &mut SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
    max_bytes: usize,
) -> Result<WriteResponse> {
    let start = clock::monotonic();
    sender.ready().await?;
    let (head, body) = sender.send_request(request).await?.into_parts();
    let body = Limited::new(body, max_bytes).collect().await;
    let body = body.map_err(|error| anyhow!("unreadable answer: {error}"))?.to_bytes();
    Ok(WriteResponse { status: head.status, headers: head.headers, body, took: start.elapsed() })
}
