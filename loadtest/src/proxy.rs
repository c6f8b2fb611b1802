//! The proxy that is measured: started for it, or running already.

mod gates;
mod process;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use tempfile::TempDir;

pub use gates::{Gates, INSTANCE_LABEL, instance};
pub use process::{Proxy, end_all};

use crate::scenario::Variant;
use process::launch;

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
    /// One that runs already, with the sink as its upstream and policies of its own; a variant only says what to expect.
    Running {
        /// Where to write.
        url: String,
        /// Its process, if it is here and its CPU and memory are to be measured.
        pid: Option<u32>,
    },
    /// None: the sink itself.
    Nothing,
}

/// A gate among others.
#[derive(Clone, Debug, Default)]
struct Place {
    /// What it is called in the output of its aggregations.
    instance: Option<String>,
    /// Whether it finds what it knew when it is started again.
    keeps_state: bool,
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
        self.start_at(variant, upstream, &Place::default())
    }

    /// Starts it as one of several.
    fn start_at(&self, variant: &Variant, upstream: &str, place: &Place) -> Result<Proxy> {
        match self.try_start(variant, upstream, place) {
            // somebody else was quicker to take the address that was free
            Err(error) if error.to_string().contains("in use") => self.try_start(variant, upstream, place),
            started => started,
        }
    }

    fn try_start(&self, variant: &Variant, upstream: &str, place: &Place) -> Result<Proxy> {
        match self {
            Self::Gate { binary } => start_gate(binary, variant, upstream, place),
            Self::Command { argv, path } => start_command(argv, path, upstream),
            Self::Running { url, pid } => Ok(Proxy::running(url, *pid)),
            Self::Nothing => Ok(Proxy::running(upstream, None)),
        }
    }
}

fn start_gate(binary: &Path, variant: &Variant, upstream: &str, place: &Place) -> Result<Proxy> {
    let directory = TempDir::new()?;
    let (listen, admin) = (free_address()?, free_address()?);
    let file = directory.path().join("gate.yaml");
    let mut ours = serde_json::Map::new();
    ours.insert("listen".into(), json!({ "address": listen.to_string() }));
    ours.insert("admin".into(), json!({ "address": admin.to_string() }));
    ours.insert("upstreams".into(), json!([{ "name": "sink", "url": upstream }]));
    if let Some(instance) = &place.instance {
        let names = json!({ "instance_label": INSTANCE_LABEL, "instance": instance });
        ours.insert("aggregation".into(), names);
    }
    if place.keeps_state {
        ours.insert("data_dir".into(), json!(directory.path().join("data")));
    }
    // JSON is YAML too
    std::fs::write(&file, serde_json::to_vec_pretty(&gate_config(ours, variant))?)?;
    let mut command = Command::new(binary);
    command.arg("run").arg("--config").arg(&file);
    let mut proxy = launch(command, listen, "/api/v1/write", directory)?;
    proxy.admin = Some(format!("http://{admin}"));
    Ok(proxy)
}

fn start_command(argv: &[String], path: &str, upstream: &str) -> Result<Proxy> {
    for needed in ["{listen}", "{upstream}"] {
        ensure!(
            argv.iter().any(|text| text.contains(needed)),
            "the command needs {{listen}} and {{upstream}} in its arguments, to be told where to listen and where to write"
        );
    }
    let directory = TempDir::new()?;
    let (listen, admin) = (free_address()?, free_address()?);
    let mut words = argv.iter().map(|text| {
        text.replace("{listen}", &listen.to_string())
            .replace("{admin}", &admin.to_string())
            .replace("{upstream}", upstream)
            .replace("{dir}", &directory.path().to_string_lossy())
    });
    let mut command = Command::new(words.next().context("no command")?);
    command.args(words);
    launch(command, listen, path, directory)
}

/// A config with what a variant says more.
fn gate_config(
    mut config: serde_json::Map<String, serde_json::Value>,
    variant: &Variant,
) -> serde_json::Value {
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
