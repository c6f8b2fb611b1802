//! A sink on a thread of its own, or on another host: what a load test asks of either.

use std::net::SocketAddr;
use std::thread::JoinHandle;

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use hyper::Method;

use super::talk::{self, SCOPED};
use super::{Episode, Ledger, Sink, SinkHandle, SinkOptions, Stats};
use crate::client::{Client, Reach, Target};

/// A sink that runs on its own thread, so that nobody else's work delays its answers.
pub struct OnThread {
    handle: Option<SinkHandle>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl OnThread {
    /// Starts it.
    pub fn start(addr: SocketAddr, options: SinkOptions) -> Result<Self> {
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let (started, is_started) = std::sync::mpsc::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name("sink".into()).spawn(move || {
            runtime.block_on(async {
                let sink = Sink::start(addr, options).await;
                if started.send(sink).is_ok() {
                    stopped.await.ok();
                }
            });
        })?;
        let handle = is_started.recv()?.with_context(|| format!("cannot listen on {addr}"))?;
        Ok(Self { handle: Some(handle), stop: Some(stop), thread: Some(thread) })
    }

    /// The sink.
    pub fn handle(&self) -> &SinkHandle {
        self.handle.as_ref().expect("it is only taken when this is dropped")
    }
}

impl Drop for OnThread {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
        drop(self.handle.take());
    }
}

/// Where what was sent arrives.
pub enum Backend {
    /// In this process.
    Here(OnThread),
    /// `seriesgate-loadtest sink` somewhere else.
    There {
        /// `http://HOST:PORT`
        url: String,
        /// Whether it may be another machine.
        reach: Reach,
    },
}

impl Backend {
    /// Where a proxy has to write to.
    pub fn write_url(&self) -> String {
        match self {
            Self::Here(sink) => sink.handle().write_url(),
            Self::There { url, .. } => format!("{}/api/v1/write", url.trim_end_matches('/')),
        }
    }

    /// What has arrived so far.
    pub async fn stats(&self) -> Result<Stats> {
        match self {
            Self::Here(sink) => Ok(sink.handle().stats()),
            Self::There { .. } => {
                Ok(serde_json::from_slice(&self.ask(Method::GET, "/stats", Bytes::new()).await?)?)
            }
        }
    }

    /// Forgets everything counted so far. From now on scopes tell series apart, or not.
    pub async fn reset(&self, scoped: bool) -> Result<()> {
        match self {
            Self::Here(sink) if scoped => sink.handle().reset_scoped(),
            Self::Here(sink) => sink.handle().reset(),
            Self::There { .. } => {
                let query = if scoped { format!("?{SCOPED}") } else { String::new() };
                self.ask(Method::POST, &format!("/reset{query}"), Bytes::new()).await?;
            }
        }
        Ok(())
    }

    /// Behaves so from now on.
    pub async fn behave(&self, episodes: Vec<Episode>) -> Result<()> {
        match self {
            Self::Here(sink) => sink.handle().behave(episodes),
            Self::There { .. } => {
                self.ask(Method::POST, "/behave", serde_json::to_vec(&episodes)?.into()).await?;
            }
        }
        Ok(())
    }

    /// Shows what arrived of every series.
    pub async fn ledger<T>(&self, look: impl FnOnce(&Ledger) -> T) -> Result<T> {
        match self {
            Self::Here(sink) => Ok(sink.handle().ledger(look)),
            Self::There { .. } => {
                Ok(look(&talk::decode(&self.ask(Method::GET, "/ledger", Bytes::new()).await?)?))
            }
        }
    }

    async fn ask(&self, method: Method, path: &str, body: Bytes) -> Result<Bytes> {
        let Self::There { url, reach } = self else { bail!("this sink is in this process") };
        let url = format!("{}{path}", url.trim_end_matches('/'));
        let mut client = Client::new(Target::parse(&url, *reach)?);
        let answer = client.ask(method, body).await.with_context(|| format!("no answer from {url}"))?;
        ensure!(answer.status.is_success(), "{url} answered {}: {}", answer.status, answer.excerpt());
        Ok(answer.body)
    }
}
