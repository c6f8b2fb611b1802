//! A backend that keeps what it got and answers by script, well or badly.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use prost::Message as _;
use seriesgate_proto::{WriteRequest, v2};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use super::wait::until;

/// What becomes of one request, once it is read.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// These bytes; the connection stays.
    Answer(String),
    /// These bytes, then the connection is closed.
    AnswerAndClose(String),
    /// Nothing until the backend is released; then 204.
    Hold,
}

/// An answer with this status line.
pub(crate) fn answer(status: &str, headers: &str, body: &str) -> Step {
    Step::Answer(format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n{body}", body.len()))
}

pub(crate) fn stored() -> Step {
    Step::Answer("HTTP/1.1 204 No Content\r\n\r\n".to_owned())
}

/// As a receiver of remote write 2.0 answers that takes all forms.
pub(crate) fn stored_all(seen: &Seen) -> Step {
    if !seen.is_v2() {
        return stored();
    }
    let series = seen.v2().timeseries;
    let count = |of: fn(&v2::TimeSeries) -> usize| series.iter().map(of).sum::<usize>();
    let written = [count(|s| s.samples.len()), count(|s| s.histograms.len()), count(|s| s.exemplars.len())];
    answer("204 No Content", &written_headers(written), "")
}

/// What a receiver of 2.0 says of samples, histograms and exemplars that it wrote.
pub(crate) fn written_headers([samples, histograms, exemplars]: [usize; 3]) -> String {
    let header = |kind: &str, count: usize| format!("x-prometheus-remote-write-{kind}-written: {count}\r\n");
    header("samples", samples) + &header("histograms", histograms) + &header("exemplars", exemplars)
}

/// One request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// Lower case.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    /// The body without its compression.
    pub(crate) fn raw(&self) -> Vec<u8> {
        if self.is_zstd() {
            return zstd::bulk::decompress(&self.body, 64 << 20).unwrap();
        }
        let mut raw = vec![0; snap::raw::decompress_len(&self.body).unwrap()];
        snap::raw::Decoder::new().decompress(&self.body, &mut raw).unwrap();
        raw
    }

    /// Whether it says that it is remote write 2.0.
    pub(crate) fn is_v2(&self) -> bool {
        self.head.contains("content-type: application/x-protobuf;proto=io.prometheus.write.v2.request\r\n")
    }

    /// Whether it says that it is zstd.
    pub(crate) fn is_zstd(&self) -> bool {
        self.head.contains("content-encoding: zstd\r\n")
    }

    /// The request, if it is one of 2.0.
    pub(crate) fn v2(&self) -> v2::Request {
        v2::Request::decode(self.raw().as_slice()).unwrap()
    }

    pub(crate) fn decoded(&self) -> WriteRequest {
        WriteRequest::decode(self.raw().as_slice()).unwrap()
    }
}

type Script = Box<dyn FnMut(&Seen) -> Step + Send>;

struct Shared {
    script: Mutex<Script>,
    seen: Mutex<Vec<Seen>>,
    hung_up: Mutex<usize>,
    release: Notify,
}

/// Stops with the runtime of its test.
pub(crate) struct Backend {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Backend {
    /// A backend that answers each request by `script`.
    pub(crate) async fn start(script: impl FnMut(&Seen) -> Step + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            script: Mutex::new(Box::new(script)),
            seen: Mutex::default(),
            hung_up: Mutex::default(),
            release: Notify::new(),
        });
        let of_task = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&of_task)));
            }
        });
        Self { address, shared }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/api/v1/write", self.address)
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().clone()
    }

    /// Answers by another script from now on.
    pub(crate) fn answer_by(&self, script: impl FnMut(&Seen) -> Step + Send + 'static) {
        *self.shared.script.lock() = Box::new(script);
    }

    /// Waits until so many requests have come.
    pub(crate) async fn until_seen(&self, requests: usize) {
        let what = format!("{requests} requests at the backend");
        until(&what, Duration::from_secs(20), async || {
            (self.shared.seen.lock().len() >= requests).then_some(())
        })
        .await;
    }

    /// Waits until a request that is held was given up by its sender.
    pub(crate) async fn until_hung_up(&self) {
        let gone = async || (*self.shared.hung_up.lock() > 0).then_some(());
        until("a hang-up at the backend", Duration::from_secs(20), gone).await;
    }

    /// Answers the requests that are held.
    pub(crate) fn release(&self) {
        self.shared.release.notify_waiters();
    }
}

async fn serve(mut stream: TcpStream, shared: Arc<Shared>) {
    let mut buffer = Vec::new();
    while let Some(seen) = read(&mut stream, &mut buffer).await {
        let step = (shared.script.lock())(&seen);
        // made before the request shows, so that a release right after that is not missed
        let released = shared.release.notified();
        tokio::pin!(released);
        released.as_mut().enable();
        shared.seen.lock().push(seen);
        let (bytes, close) = match step {
            Step::Answer(bytes) => (bytes, false),
            Step::AnswerAndClose(bytes) => (bytes, true),
            Step::Hold => {
                tokio::select! {
                    () = released => ("HTTP/1.1 204 No Content\r\n\r\n".to_owned(), false),
                    _ = stream.read_buf(&mut buffer) => {
                        *shared.hung_up.lock() += 1;
                        return;
                    }
                }
            }
        };
        if stream.write_all(bytes.as_bytes()).await.is_err() || close {
            return;
        }
    }
}

/// The next request, or nothing where the sender is gone.
async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Seen> {
    let end = loop {
        if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        more(stream, buffer).await?;
    };
    let head: Vec<u8> = buffer.drain(..end).collect();
    let head = String::from_utf8_lossy(&head).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.map_or(0, |length| length.parse().unwrap());
    while buffer.len() < length {
        more(stream, buffer).await?;
    }
    Some(Seen { head, body: buffer.drain(..length).collect() })
}

async fn more(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<()> {
    (stream.read_buf(buffer).await.ok()? > 0).then_some(())
}
