//! The real program, started from a config file and ended with its test.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use seriesgate_proto::{WriteRequest, encode_snappy};
use tempfile::TempDir;

use super::http::{self, Reply};
use super::metrics::Metrics;
use super::ports;
use super::wait::until;

/// Nothing a gate does by itself takes longer.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// For how long samples may be without a fate once their request is over.
const SETTLES: Duration = Duration::from_secs(5);

/// A config in parts.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    url: String,
    upstream: String,
    listen: String,
    admin: String,
    series: String,
    rest: String,
}

impl Setup {
    /// Writes to itself.
    pub(crate) fn to_itself() -> Self {
        Self::to("http://{write}/api/v1/write")
    }

    /// Writes to this URL, without policies.
    pub(crate) fn to(url: impl Into<String>) -> Self {
        let none = String::new;
        Self {
            url: url.into(),
            upstream: none(),
            listen: none(),
            admin: none(),
            series: none(),
            rest: none(),
        }
    }

    /// More keys of the upstream, in flow style.
    pub(crate) fn upstream(mut self, keys: &str) -> Self {
        self.upstream = format!(", {keys}");
        self
    }

    /// More keys of `listen`, in flow style.
    pub(crate) fn listen(mut self, keys: &str) -> Self {
        self.listen = format!(", {keys}");
        self
    }

    /// More keys of `admin`, in flow style.
    pub(crate) fn admin(mut self, keys: &str) -> Self {
        self.admin = format!(", {keys}");
        self
    }

    /// Keys of `series`, in flow style.
    pub(crate) fn series(mut self, keys: &str) -> Self {
        self.series = format!("series: {{ {keys} }}\n");
        self
    }

    /// Where state is kept.
    pub(crate) fn data_dir(mut self, dir: &Path) -> Self {
        self.series.push_str(&format!("data_dir: '{}'\n", dir.display()));
        self
    }

    /// One more policy, in flow style.
    pub(crate) fn policy(mut self, policy: &str) -> Self {
        if self.rest.is_empty() {
            self.rest.push_str("policies:\n");
        }
        self.rest.push_str(&format!("  - {{ {policy} }}\n"));
        self
    }

    fn yaml(&self, write: SocketAddr, admin: SocketAddr) -> String {
        let Self { url, upstream, listen, admin: admin_keys, series, rest } = self;
        let url = url.replace("{write}", &write.to_string());
        format!(
            "listen: {{ address: '{write}'{listen} }}\nadmin: {{ address: '{admin}'{admin_keys} }}\n\
             upstreams: [ {{ name: primary, url: '{url}'{upstream} }} ]\n{series}{rest}"
        )
    }

    /// Starts a gate and waits until it is ready.
    pub(crate) async fn start(&self) -> Gate {
        loop {
            let (write, admin) = (ports::free(), ports::free());
            let mut gate = Gate::spawn(&self.yaml(write, admin), write, admin);
            if gate.is_started().await {
                return gate;
            }
            gate.checked = true;
        }
    }

    /// The same of a gate that may have so many files open.
    pub(crate) async fn start_with_files(&self, files: u32) -> Gate {
        let (write, admin) = (ports::free(), ports::free());
        let (run, dir) = command(&self.yaml(write, admin));
        let mut limited = Command::new("sh");
        let script = format!("ulimit -n {files} && exec \"$0\" \"$@\"");
        limited.args(["-c", &script]).arg(run.get_program()).args(run.get_args());
        limited.env("SERIESGATE_LOG", "debug,hyper_util=info").stdin(Stdio::null()).stdout(Stdio::null());
        let log = File::create(dir.path().join("log")).unwrap();
        let gate = Gate::of(limited, dir, log, (write, admin));
        gate.until_ready().await;
        gate
    }

    /// The same of a gate that has `dir` on a disk of its own. `None` where this machine does not allow that.
    pub(crate) async fn start_on_a_disk(&self, dir: &Path, size: &str) -> Option<Gate> {
        let (write, admin) = (ports::free(), ports::free());
        let (run, keep) = command(&self.yaml(write, admin));
        let run = on_a_disk(&run, dir, size)?;
        let log = File::create(keep.path().join("log")).unwrap();
        let gate = Gate::of(run, keep, log, (write, admin));
        gate.until_ready().await;
        Some(gate)
    }

    /// The same of a gate that logs in this form.
    pub(crate) async fn start_logging(&self, format: &str) -> Gate {
        let (write, admin) = (ports::free(), ports::free());
        let (mut command, dir) = command(&self.yaml(write, admin));
        command.env("SERIESGATE_LOG_FORMAT", format);
        let log = File::create(dir.path().join("log")).unwrap();
        let gate = Gate::of(command, dir, log, (write, admin));
        gate.until_ready().await;
        gate
    }

    /// The same of a gate whose log nobody can read: the disk is full.
    pub(crate) async fn start_without_log(&self) -> Gate {
        let (write, admin) = (ports::free(), ports::free());
        let (command, dir) = command(&self.yaml(write, admin));
        let full = File::options().write(true).open("/dev/full").unwrap();
        let gate = Gate::of(command, dir, full, (write, admin));
        gate.until_ready().await;
        gate
    }
}

/// The same command, in a mount namespace of its own where `dir` is a disk of this size. `None` where this machine does not allow that.
fn on_a_disk(command: &Command, dir: &Path, size: &str) -> Option<Command> {
    let allowed = Command::new("unshare").args(["-Urm", "true"]).output();
    if !allowed.is_ok_and(|output| output.status.success()) {
        return None;
    }
    let mut other = Command::new("unshare");
    let script = format!("mount -t tmpfs -o size={size} tmpfs \"$0\" && exec \"$@\"");
    other.args(["-Urm", "sh", "-c", &script]).arg(dir).arg(command.get_program()).args(command.get_args());
    other.env("SERIESGATE_LOG", "debug,hyper_util=info").stdin(Stdio::null()).stdout(Stdio::null());
    Some(other)
}

/// The command for `run` with a config that `text` is written to, and the directory it lies in.
pub(crate) fn command(text: &str) -> (Command, TempDir) {
    let dir = TempDir::new().unwrap();
    let config = dir.path().join("gate.yaml");
    std::fs::write(&config, text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_seriesgate"));
    command.args(["run", "--config"]).arg(config).env("SERIESGATE_LOG", "debug,hyper_util=info");
    command.stdin(Stdio::null()).stdout(Stdio::null());
    (command, dir)
}

/// A running gate. A test must end it by [`Gate::finish`] or [`Gate::exit`], which check what it counted.
pub(crate) struct Gate {
    child: Child,
    dir: TempDir,
    pub(crate) write: SocketAddr,
    pub(crate) admin: SocketAddr,
    checked: bool,
}

impl Gate {
    /// Starts the program with this config and does not wait for anything.
    pub(crate) fn spawn(yaml: &str, write: SocketAddr, admin: SocketAddr) -> Self {
        let (command, dir) = command(yaml);
        let log = File::create(dir.path().join("log")).unwrap();
        Self::of(command, dir, log, (write, admin))
    }

    fn of(mut command: Command, dir: TempDir, log: File, (write, admin): (SocketAddr, SocketAddr)) -> Self {
        let child = command.stderr(log).spawn().unwrap();
        Self { child, dir, write, admin, checked: false }
    }

    /// Waits until it is ready; false: another run on this machine took one of its ports meanwhile.
    async fn is_started(&mut self) -> bool {
        let url = self.admin_url("/-/ready");
        until("the gate is ready", SOON, async || {
            if self.child.try_wait().unwrap().is_some()
                && self.log().contains("another process already listens")
            {
                return Some(false);
            }
            http::is_ok(&url).await.then_some(true)
        })
        .await
    }

    async fn until_ready(&self) {
        let url = self.admin_url("/-/ready");
        until("the gate is ready", SOON, async || http::is_ok(&url).await.then_some(())).await;
    }

    fn config(&self) -> PathBuf {
        self.dir.path().join("gate.yaml")
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// Puts another config in the file; nothing more.
    pub(crate) fn write_config(&self, setup: &Setup) {
        std::fs::write(self.config(), self.config_text(setup)).unwrap();
    }

    /// What [`Gate::write_config`] would write.
    pub(crate) fn config_text(&self, setup: &Setup) -> String {
        setup.yaml(self.write, self.admin)
    }

    /// Puts any text in the config file.
    pub(crate) fn write_config_text(&self, text: &str) {
        std::fs::write(self.config(), text).unwrap();
    }

    pub(crate) fn admin_url(&self, path: &str) -> String {
        format!("http://{}{path}", self.admin)
    }

    pub(crate) async fn admin_post(&self, path: &str) -> Reply {
        http::post(&self.admin_url(path)).await.unwrap()
    }

    /// Memory of its own that it has now, bytes.
    pub(crate) fn own_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let anonymous = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        1024 * anonymous.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
    }

    pub(crate) async fn metrics(&self) -> Metrics {
        Metrics(http::get(&self.admin_url("/metrics")).await.unwrap().text)
    }

    /// Waits until a metric's sum has this value.
    pub(crate) async fn until_metric(&self, name: &str, labels: &[(&str, &str)], value: f64) {
        self.until_metric_is(name, labels, |sum| sum == value).await;
    }

    /// Waits until a metric's sum is as wanted.
    pub(crate) async fn until_metric_is(
        &self,
        name: &str,
        labels: &[(&str, &str)],
        wanted: impl Fn(f64) -> bool,
    ) {
        let what = format!("{name} {labels:?} is as wanted");
        until(&what, SOON, async || wanted(self.metrics().await.sum(name, labels)).then_some(())).await;
    }

    /// Sends a body as it is.
    pub(crate) async fn post(&self, body: Vec<u8>) -> Reply {
        http::send(http::write_request(self.write, body)).await.unwrap()
    }

    /// Sends a request.
    pub(crate) async fn send(&self, request: &WriteRequest) -> Reply {
        self.post(encode_snappy(request)).await
    }

    /// A path as it is where the gate looks at it.
    pub(crate) fn sees(&self, path: &Path) -> PathBuf {
        Path::new(&format!("/proc/{}/root", self.child.id())).join(path.strip_prefix("/").unwrap())
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for the program to end by itself.
    pub(crate) async fn exit(mut self) -> (ExitStatus, String) {
        self.checked = true;
        let child = &mut self.child;
        let status = until("the gate ends", SOON, async || child.try_wait().unwrap()).await;
        (status, self.log())
    }

    /// Checks that every sample has one fate and that nothing panicked, and ends the program.
    pub(crate) async fn finish(mut self) {
        self.checked = true;
        // a reading may fall between the two halves of counting a request that is just over
        let settled = async || {
            let metrics = self.metrics().await;
            metrics.is_conserved().then_some(())
        };
        if tokio::time::timeout(SETTLES, until("every sample has a fate", SOON, settled)).await.is_err() {
            self.metrics().await.assert_conserved();
        }
        let log = self.log();
        assert!(!log.contains("panicked at"), "{log}");
        assert!(self.child.try_wait().unwrap().is_none(), "the gate has ended:\n{log}");
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        // it may have ended by itself
        self.child.kill().ok();
        self.child.wait().ok();
        if std::thread::panicking() {
            eprintln!("--- log of the gate\n{}---", self.log());
        } else {
            assert!(self.checked, "the test did not finish its gate, so nothing was checked");
        }
    }
}
