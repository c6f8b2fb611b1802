//! The proxy that is measured: started for it, or running already.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use parking_lot::Mutex;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tempfile::TempDir;

use crate::clock;
use crate::scenario::Variant;

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

/// Which proxy.
#[derive(Clone, Debug)]
pub enum ProxySpec {
    /// A gate that is started with the policies of a variant.
    Gate {
        /// Its program.
        binary: PathBuf,
    },
    /// Any other that is started. In its arguments `{listen}` is the address to listen on, `{upstream}` the URL to write
    /// to, `{dir}` a directory of its own, and `{admin}` another free address.
    Command {
        /// Program and arguments.
        argv: Vec<String>,
        /// Where it takes writes.
        path: String,
    },
    /// One that runs already, with the sink as its upstream.
    Running {
        /// Where to write.
        url: String,
        /// Its process, if it is here and its CPU and memory are to be measured.
        pid: Option<u32>,
    },
    /// None: the sink itself.
    Nothing,
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
    directory: Option<TempDir>,
}

impl ProxySpec {
    /// The gate that was built beside this program.
    pub fn gate(binary: Option<PathBuf>) -> Result<Self> {
        let binary = match binary {
            Some(binary) => binary,
            None => std::env::current_exe()?.parent().unwrap_or(Path::new(".")).join("seriesgate"),
        };
        ensure!(
            binary.is_file(),
            "{} is not there: build it (cargo build --release) or say where it is with --gate",
            binary.display()
        );
        Ok(Self::Gate { binary })
    }

    /// What it is called in results.
    pub fn name(&self) -> String {
        let file =
            |path: &Path| path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
        match self {
            Self::Gate { binary } => file(binary),
            Self::Command { argv, .. } => {
                argv.first().map_or_else(String::new, |program| file(Path::new(program)))
            }
            Self::Running { url, .. } => url.clone(),
            Self::Nothing => "nothing (the sink itself)".into(),
        }
    }

    /// Starts it with the policies of a variant, towards a backend, and waits until it listens.
    pub fn start(&self, variant: &Variant, upstream: &str) -> Result<Proxy> {
        match self {
            Self::Gate { binary } => {
                let directory = TempDir::new()?;
                let (listen, admin) = (free_address()?, free_address()?);
                let file = directory.path().join("gate.yaml");
                // JSON is YAML too
                let config = gate_config(variant, listen, admin, upstream);
                std::fs::write(&file, serde_json::to_vec_pretty(&config)?)?;
                let mut command = Command::new(binary);
                command.arg("run").arg("--config").arg(&file);
                let mut proxy = launch(command, listen, "/api/v1/write", directory)?;
                proxy.admin = Some(format!("http://{admin}"));
                Ok(proxy)
            }
            Self::Command { argv, path } => {
                let directory = TempDir::new()?;
                let (listen, admin) = (free_address()?, free_address()?);
                let fill = |text: &String| {
                    text.replace("{listen}", &listen.to_string())
                        .replace("{admin}", &admin.to_string())
                        .replace("{upstream}", upstream)
                        .replace("{dir}", &directory.path().to_string_lossy())
                };
                ensure!(
                    argv.iter().any(|text| text.contains("{listen}"))
                        && argv.iter().any(|text| text.contains("{upstream}")),
                    "the command needs {{listen}} and {{upstream}} in its arguments, to be told where to listen and where to write"
                );
                let mut words = argv.iter().map(fill);
                let mut command = Command::new(words.next().context("no command")?);
                command.args(words);
                launch(command, listen, path, directory)
            }
            Self::Running { url, pid } => {
                ensure!(
                    variant.gate.is_empty(),
                    "a proxy that runs already has its own policies: no variant"
                );
                Ok(Proxy { url: url.clone(), pid: *pid, admin: None, child: None, directory: None })
            }
            Self::Nothing => {
                Ok(Proxy { url: upstream.into(), pid: None, admin: None, child: None, directory: None })
            }
        }
    }
}

fn gate_config(
    variant: &Variant,
    listen: SocketAddr,
    admin: SocketAddr,
    upstream: &str,
) -> serde_json::Value {
    let mut config = serde_json::Map::new();
    config.insert("listen".into(), json!({ "address": listen.to_string() }));
    config.insert("admin".into(), json!({ "address": admin.to_string() }));
    config.insert("upstreams".into(), json!([{ "name": "sink", "url": upstream }]));
    for (key, value) in &variant.gate {
        // a variant may say more of a section that is here already
        match (config.get_mut(key), value) {
            (Some(serde_json::Value::Object(ours)), serde_json::Value::Object(more)) => {
                ours.extend(more.iter().map(|(key, value)| (key.clone(), value.clone())));
            }
            _ => {
                config.insert(key.clone(), value.clone());
            }
        }
    }
    config.into()
}

/// An address on which nobody listened a moment ago.
fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

fn launch(mut command: Command, listen: SocketAddr, path: &str, directory: TempDir) -> Result<Proxy> {
    let log = File::create(directory.path().join("log"))?;
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    let program = command.get_program().to_string_lossy().into_owned();
    let child = command.spawn().with_context(|| format!("cannot start {program}"))?;
    STARTED.lock().push((child.id(), directory.path().to_owned()));
    let mut proxy = Proxy {
        url: format!("http://{listen}{path}"),
        pid: Some(child.id()),
        admin: None,
        child: Some(child),
        directory: Some(directory),
    };
    let deadline = clock::monotonic() + START_LIMIT;
    while TcpStream::connect_timeout(&listen, Duration::from_millis(200)).is_err() {
        let ended = proxy.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
        if let Some(status) = ended {
            bail!("{program} ended at once ({status}):\n{}", proxy.log_tail());
        }
        ensure!(
            clock::monotonic() < deadline,
            "{program} does not listen on {listen}:\n{}",
            proxy.log_tail()
        );
        std::thread::sleep(Duration::from_millis(30));
    }
    Ok(proxy)
}

impl Proxy {
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
