use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Semaphore;

use super::*;
use crate::admin::report::View;
use crate::cardinality::{Settings, Tracker};
use crate::health::Health;
use crate::telemetry::Registry;

/// A process whose reports wait to be let go on.
struct Slow {
    tracker: Tracker,
    health: Health,
    reports: Arc<Semaphore>,
    began: AtomicUsize,
    go_on: Mutex<Receiver<()>>,
}

impl Slow {
    fn new() -> (Arc<Self>, Sender<()>) {
        let (send, receive) = channel();
        let slow = Self {
            tracker: Tracker::new(&Settings::default(), 0),
            health: Health::new(&[]),
            reports: Arc::new(Semaphore::new(1)),
            began: AtomicUsize::new(0),
            go_on: Mutex::new(receive),
        };
        (Arc::new(slow), send)
    }
}

impl Control for Slow {
    fn metrics(&self) -> String {
        String::new()
    }

    fn health(&self) -> &Health {
        &self.health
    }

    fn policies(&self) -> String {
        String::new()
    }

    fn view(&self) -> View<'_> {
        self.began.fetch_add(1, Ordering::SeqCst);
        self.go_on.lock().recv().unwrap();
        View {
            tracker: &self.tracker,
            types: None,
            tenants: Vec::new(),
            policies: Vec::new(),
            rejected: Vec::new(),
            incomplete: false,
            now: 0,
        }
    }

    fn reports(&self) -> &Arc<Semaphore> {
        &self.reports
    }

    fn tenant_header(&self) -> String {
        "x-tenant".to_owned()
    }

    fn active_series(&self) -> usize {
        0
    }

    fn reload(&self) -> Result<String, String> {
        Err(String::new())
    }

    fn bypass(&self, _: bool) -> Result<String, String> {
        Err(String::new())
    }
}

async fn ask(at: SocketAddr, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(at).await.unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await.unwrap();
    stream
}

async fn status(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.lines().next().unwrap_or_default().to_owned()
}

/// There is one worker: a report made on it would keep everything else waiting.
#[tokio::test(flavor = "current_thread")]
async fn reports_are_made_one_at_a_time_and_on_no_worker() {
    let (slow, go_on) = Slow::new();
    let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let at = listener.local_addr().unwrap();
    let metrics = AdminMetrics::new(&Arc::new(Registry::default()));
    let stop = CancellationToken::new();
    let served = tokio::spawn(serve(
        listener,
        Port { control: Arc::clone(&slow), access: Arc::default(), metrics },
        stop.clone(),
    ));

    let reports = [ask(at, "/api/v1/churn").await, ask(at, "/api/v1/workloads").await];
    // one whose client is gone still has its turn
    drop(ask(at, "/api/v1/churn").await);
    while slow.began.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    for _ in 0..10 {
        assert_eq!(status(ask(at, "/-/ready").await).await, "HTTP/1.1 503 Service Unavailable");
    }
    assert_eq!(slow.began.load(Ordering::SeqCst), 1, "the others wait");
    (0..3).for_each(|_| go_on.send(()).unwrap());
    for report in reports {
        assert_eq!(status(report).await, "HTTP/1.1 200 OK");
    }
    stop.cancel();
    served.await.unwrap();
}
