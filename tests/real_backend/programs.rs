//! Other people's programs: found, started with a directory of their own, ended with their test.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::support::wait::until;
use crate::support::{http, ports};

/// The longest wait for anything these programs do.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Whether all of these programs are here; if not, says so where nobody can miss it.
pub(crate) fn are_here(programs: &[&str]) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let has = |program: &str| std::env::split_paths(&path).any(|dir| dir.join(program).is_file());
    let missing: Vec<&str> = programs.iter().copied().filter(|program| !has(program)).collect();
    if missing.is_empty() {
        return true;
    }
    let text = format!("DID NOT RUN: a test that needs {}: not installed", missing.join(" and "));
    assert!(std::env::var_os("SERIESGATE_REQUIRE_REAL").is_none_or(|value| value != "1"), "{text}");
    let test = std::thread::current().name().unwrap_or_default().to_owned();
    // written past the capture of the test harness, which hides what a passing test prints
    std::io::stderr().write_all(format!("\n{text} ({test})\n\n").as_bytes()).unwrap();
    false
}

/// A running program.
pub(crate) struct Program {
    name: &'static str,
    child: Child,
    arguments: Vec<String>,
    ready: &'static str,
    pub(crate) address: SocketAddr,
    dir: TempDir,
}

impl Program {
    /// Starts a program with arguments that depend on its address and its directory, and waits until the page
    /// `ready` answers.
    pub(crate) async fn start(
        name: &'static str,
        ready: &'static str,
        arguments: impl FnOnce(SocketAddr, &Path) -> Vec<String>,
    ) -> Self {
        let (address, dir) = (ports::free(), TempDir::new().unwrap());
        let arguments = arguments(address, dir.path());
        let child = spawn(name, &arguments, dir.path());
        let mut program = Self { name, child, arguments, ready, address, dir };
        program.until_ready().await;
        program
    }

    /// Ends it as a service manager does, and starts it again where it was.
    pub(crate) async fn restart(&mut self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        let (name, child) = (self.name, &mut self.child);
        until(&format!("{name} ends"), LIMIT, async || child.try_wait().unwrap()).await;
        self.child = spawn(name, &self.arguments, self.dir.path());
        self.until_ready().await;
    }

    async fn until_ready(&mut self) {
        let (name, url) = (self.name, self.url(self.ready));
        let child = &mut self.child;
        until(&format!("{name} is ready"), LIMIT, async || {
            assert!(child.try_wait().unwrap().is_none(), "{name} has ended");
            http::is_ok(&url).await.then_some(())
        })
        .await;
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn log(&self) -> PathBuf {
        self.dir.path().join("log")
    }
}

/// Starts it in a directory, where it also writes its log.
fn spawn(name: &str, arguments: &[String], dir: &Path) -> Child {
    let log = std::fs::OpenOptions::new().create(true).append(true).open(dir.join("log")).unwrap();
    let mut command = Command::new(name);
    command.args(arguments).current_dir(dir).stdin(Stdio::null());
    command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap()
}

impl Drop for Program {
    fn drop(&mut self) {
        // it may have ended by itself
        self.child.kill().ok();
        self.child.wait().ok();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.log()).unwrap_or_default();
            eprintln!("--- log of {}\n{log}---", self.name);
        }
    }
}

/// VictoriaMetrics with an empty store.
pub(crate) async fn victoria_metrics() -> Program {
    Program::start("victoria-metrics", "/health", |address, dir| {
        let store = dir.join("store").display().to_string();
        [
            format!("-httpListenAddr={address}"),
            format!("-storageDataPath={store}"),
            // whatever time it is where the test runs
            "-retentionPeriod=100y".to_owned(),
            "-memory.allowedBytes=64MB".to_owned(),
            // what is newer than that is answered with what was before
            "-search.latencyOffset=1ms".to_owned(),
            // it would take labels away from the 31st on
            "-maxLabelsPerTimeseries=200".to_owned(),
        ]
        .into()
    })
    .await
}

/// A scrape config for these (job, path) on one target.
fn scrapes(target: SocketAddr, jobs: &[(&str, &str)]) -> String {
    let jobs = jobs.iter().map(|(job, path)| {
        format!("  - {{ job_name: {job}, metrics_path: {path}, static_configs: [ {{ targets: ['{target}'] }} ] }}\n")
    });
    format!(
        "global: {{ scrape_interval: 1s, scrape_timeout: 1s }}\nscrape_configs:\n{}",
        jobs.collect::<String>()
    )
}

/// Prometheus that scrapes these and writes to `gate`.
pub(crate) async fn prometheus(target: SocketAddr, jobs: &[(&str, &str)], gate: SocketAddr) -> Program {
    let remote_write =
        format!("  - url: http://{gate}/api/v1/write\n    queue_config: {{ batch_send_deadline: 200ms }}\n");
    prometheus_with(target, jobs, &remote_write).await
}

/// Prometheus that scrapes these and writes as the blocks of `remote_write` say.
pub(crate) async fn prometheus_with(
    target: SocketAddr,
    jobs: &[(&str, &str)],
    remote_write: &str,
) -> Program {
    let config = format!("{}remote_write:\n{remote_write}", scrapes(target, jobs));
    Program::start("prometheus", "/-/ready", |address, dir| {
        std::fs::write(dir.join("prometheus.yml"), config).unwrap();
        [
            format!("--config.file={}", dir.join("prometheus.yml").display()),
            format!("--storage.tsdb.path={}", dir.join("store").display()),
            format!("--web.listen-address={address}"),
        ]
        .into()
    })
    .await
}

/// vmagent that scrapes these and writes to `gate`.
pub(crate) async fn vmagent(target: SocketAddr, jobs: &[(&str, &str)], gate: SocketAddr) -> Program {
    let config = scrapes(target, jobs);
    Program::start("vmagent", "/health", |address, dir| {
        std::fs::write(dir.join("scrape.yml"), config).unwrap();
        [
            format!("-httpListenAddr={address}"),
            format!("-promscrape.config={}", dir.join("scrape.yml").display()),
            format!("-remoteWrite.url=http://{gate}/api/v1/write"),
            format!("-remoteWrite.tmpDataPath={}", dir.join("queue").display()),
            "-memory.allowedBytes=64MB".to_owned(),
        ]
        .into()
    })
    .await
}
