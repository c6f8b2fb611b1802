//! A process that takes writes, from its start to its end.

use std::fs::File;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use parking_lot::Mutex;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::clock;

/// How long a proxy may take to listen.
const START_LIMIT: Duration = Duration::from_secs(20);
/// How long it may take to end.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// What was started and has not ended, with its directory: whoever ends this process early ends these first.
static STARTED: Mutex<Vec<(u32, PathBuf)>> = Mutex::new(Vec::new());

/// Ends all proxies that were started and removes their directories.
pub fn end_all() {
    for (pid, directory) in STARTED.lock().drain(..) {
        if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
            // it may have ended by itself, and what is left of a directory is in the temporary one
            kill_process(pid, Signal::TERM).ok();
        }
        std::fs::remove_dir_all(directory).ok();
    }
}

/// A proxy that takes writes.
pub struct Proxy {
    /// Where to write.
    pub url: String,
    /// Its process.
    pub pid: Option<u32>,
    /// The URL of a gate's admin port.
    pub admin: Option<String>,
    child: Option<Child>,
    /// How it was started, and where it listens.
    start: Option<(Command, SocketAddr)>,
    directory: Option<TempDir>,
}

/// Starts a command that is to listen on an address, and waits until it does.
pub(super) fn launch(
    mut command: Command,
    listen: SocketAddr,
    path: &str,
    directory: TempDir,
) -> Result<Proxy> {
    let log = File::create(directory.path().join("log"))?;
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    let mut proxy = Proxy {
        url: format!("http://{listen}{path}"),
        pid: None,
        admin: None,
        child: None,
        start: Some((command, listen)),
        directory: Some(directory),
    };
    proxy.start_again()?;
    Ok(proxy)
}

impl Proxy {
    /// One that was not started here.
    pub(super) fn running(url: &str, pid: Option<u32>) -> Self {
        Self { url: url.into(), pid, admin: None, child: None, start: None, directory: None }
    }

    /// Starts it, once more if it had ended, and waits until it listens.
    pub fn start_again(&mut self) -> Result<()> {
        let (command, listen) = self.start.as_mut().context("it was not started here")?;
        let program = command.get_program().to_string_lossy().into_owned();
        let (child, listen) = (command.spawn().with_context(|| format!("cannot start {program}"))?, *listen);
        STARTED.lock().retain(|(pid, _)| Some(*pid) != self.pid);
        let directory = self.directory.as_ref().map_or_else(PathBuf::new, |dir| dir.path().to_owned());
        STARTED.lock().push((child.id(), directory));
        self.pid = Some(child.id());
        self.child = Some(child);
        let deadline = clock::monotonic() + START_LIMIT;
        while TcpStream::connect_timeout(&listen, Duration::from_millis(200)).is_err() {
            let ended = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
            if let Some(status) = ended {
                bail!("{program} ended at once ({status}):\n{}", self.log_tail());
            }
            ensure!(
                clock::monotonic() < deadline,
                "{program} does not listen on {listen}:\n{}",
                self.log_tail()
            );
            std::thread::sleep(Duration::from_millis(30));
        }
        Ok(())
    }

    /// The last lines it printed.
    pub fn log_tail(&self) -> String {
        let log = self.directory.as_ref().map(|directory| directory.path().join("log"));
        let text = log.and_then(|log| std::fs::read(log).ok()).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(12)..].join("\n")
    }

    /// Ends it as Kubernetes would: SIGTERM, and what it still holds is sent on; killed if that takes too long. Returns
    /// whether it ended by itself.
    pub fn stop(&mut self) -> Result<bool> {
        let Some(mut child) = self.child.take() else { return Ok(true) };
        let pid =
            i32::try_from(child.id()).ok().and_then(Pid::from_raw).context("a process without a number")?;
        kill_process(pid, Signal::TERM)?;
        let deadline = clock::monotonic() + STOP_LIMIT;
        while clock::monotonic() < deadline {
            if child.try_wait()?.is_some() {
                return Ok(true);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        child.kill()?;
        child.wait()?;
        Ok(false)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        STARTED.lock().retain(|(pid, _)| Some(*pid) != self.pid);
        if let Some(child) = &mut self.child {
            // ended by now, or never to be used again
            child.kill().ok();
            child.wait().ok();
        }
    }
}
