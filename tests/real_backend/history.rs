//! What kube-state-metrics says of a CronJob whose finished runs nobody cleans up: there are ever more of them.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use seriesgate::clock::Clock;
use tokio::net::TcpListener;

/// Runs that ended hours ago when the first scrape comes.
pub(crate) const OLD: i64 = 40;
/// One of them failed.
pub(crate) const FAILED: i64 = 7;
/// Seconds from one run to the next.
const EVERY: i64 = 2;

/// The page behind one address. Stops with the runtime of its test.
pub(crate) struct History {
    pub(crate) address: SocketAddr,
    pub(crate) began: i64,
}

impl History {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let began = now();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let service = service_fn(move |_: Request<Incoming>| {
                    let page = page(began, now());
                    async move { Ok::<_, Infallible>(answer(page)) }
                });
                let server = hyper::server::conn::http1::Builder::new();
                tokio::spawn(server.serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { address, began }
    }

    /// The job of a run.
    pub(crate) fn job(&self, run: i64) -> String {
        job(self.began, run)
    }
}

fn now() -> i64 {
    Clock::system().unix_ms() / 1000
}

/// A CronJob names its jobs by the minute for which they are due.
fn job(began: i64, run: i64) -> String {
    format!("billing-{}", began / 60 - 60 - OLD + run)
}

fn page(began: i64, now: i64) -> String {
    let mut page = String::new();
    let mut put = |metric: &str, labels: &str, value: i64| {
        writeln!(page, "{metric}{{namespace=\"shop\",{labels}}} {value}").unwrap();
    };
    let cronjob = "cronjob=\"billing\"";
    put("kube_cronjob_info", &format!("{cronjob},schedule=\"* * * * *\",concurrency_policy=\"Allow\""), 1);
    put("kube_cronjob_spec_successful_job_history_limit", cronjob, 3);
    put("kube_cronjob_spec_failed_job_history_limit", cronjob, 1);
    for run in 0..OLD + (now - began) / EVERY {
        let ended = if run < OLD { began - 7200 - 60 * (OLD - run) } else { began + EVERY * (run - OLD) };
        let failed = run == FAILED;
        let name = format!("job_name=\"{}\"", job(began, run));
        let owner = "owner_kind=\"CronJob\",owner_name=\"billing\",owner_is_controller=\"true\"";
        put("kube_job_info", &name, 1);
        put("kube_job_owner", &format!("{name},{owner}"), 1);
        put("kube_job_created", &name, ended - 30);
        put("kube_job_status_start_time", &name, ended - 30);
        put("kube_job_status_active", &name, 0);
        put("kube_job_status_succeeded", &name, i64::from(!failed));
        put("kube_job_status_failed", &name, i64::from(failed));
        if failed {
            put("kube_job_failed", &format!("{name},condition=\"true\""), 1);
        } else {
            put("kube_job_complete", &format!("{name},condition=\"true\""), 1);
            put("kube_job_status_completion_time", &name, ended);
        }
    }
    page
}

fn answer(page: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(page)));
    response.headers_mut().insert("content-type", "text/plain; version=0.0.4".parse().unwrap());
    response
}
