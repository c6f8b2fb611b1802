//! `seriesgate run`: the process around a gate.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use hyper::Uri;
use tokio::signal::unix::{SignalKind, signal};

use super::{load, log};
use crate::clock::Clock;
use crate::config::{Config, Delivery, Loaded};
use crate::memory;
use crate::runtime::{self, Source, service_manager};
use crate::version;

/// Options of `run`.
#[derive(Debug, Args)]
#[command(after_help = super::usage::RUN)]
pub(super) struct Options {
    #[command(flatten)]
    config: super::ConfigFile,
    #[command(flatten)]
    log: log::Options,
}

pub(super) fn run(options: &Options) -> ExitCode {
    let path = options.config.path();
    let log = log::to_stderr(&options.log);
    let loaded = match load::to_run(path) {
        Ok(loaded) => loaded,
        Err(why) => {
            log.fails(&why);
            return ExitCode::from(load::REFUSED);
        }
    };
    say_what_starts(path, &loaded.config);
    let tokio = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(tokio) => tokio,
        Err(error) => {
            log.fails(&format!("cannot start the async runtime: {error}"));
            return ExitCode::FAILURE;
        }
    };
    match tokio.block_on(serve(loaded, Source::File(path.to_owned()))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            log.fails(&why);
            ExitCode::FAILURE
        }
    }
}

/// So that a log by itself says what ran, and within which bounds.
fn say_what_starts(path: &Path, config: &Config) {
    let Config { upstream, listen, series, tenant, .. } = config;
    let is_queued = upstream.delivery == Delivery::Queue;
    tracing::info!(
        version = version::VERSION,
        commit = version::COMMIT,
        config = %path.display(),
        data_dir = config.data_dir.as_ref().map(|dir| display(dir.display())),
        policies = config.policies.len(),
        upstream = upstream.name,
        host = host(&upstream.url),
        delivery = if is_queued { "queue" } else { "sync" },
        "seriesgate starts"
    );
    let memory = memory::limit(config.memory.limit_bytes);
    tracing::info!(
        memory_bytes = memory,
        in_flight_bytes = listen.max_in_flight_bytes.unwrap_or_else(|| memory::for_requests(memory)),
        body_bytes = listen.max_body_bytes,
        decoded_bytes = listen.max_decoded_bytes,
        connections = listen.max_connections,
        series = series.max_tracked,
        tenants = tenant.max,
        queue_bytes = is_queued.then_some(upstream.queue.max_bytes),
        "limits"
    );
}

/// Where a URL leads to. The rest of it may be a credential.
fn host(url: &str) -> String {
    let uri = url.parse::<Uri>().unwrap_or_default();
    let port = uri.port().map_or_else(String::new, |port| format!(":{port}"));
    uri.host().unwrap_or_default().to_owned() + &port
}

async fn serve(loaded: Loaded, source: Source) -> Result<(), String> {
    // before anything listens, so that a signal that comes at once is not lost
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return Err("cannot listen for signals".to_owned());
    };
    if loaded.config.data_dir.is_none() {
        tracing::info!("no data_dir: what the gate knows is kept in memory only");
    }
    loaded.remarks.log();
    let running = runtime::start(loaded, source, Clock::system()).await.map_err(|error| error.to_string())?;
    tracing::info!(address = %running.write_address, "listening for remote write");
    tracing::info!(address = %running.admin_address, "listening for admin");
    let (write, admin) = (running.write_address, running.admin_address);
    service_manager::ready(&format!("listening on {write} for remote write, on {admin} for admin"));
    tokio::spawn(service_manager::show_life(Arc::clone(&running.runtime.health)));
    tokio::select! {
        _ = terminate.recv() => tracing::info!("SIGTERM: draining"),
        _ = interrupt.recv() => tracing::info!("interrupted: draining"),
    }
    service_manager::stopping();
    let drained = running.shutdown().await;
    tracing::info!(aborted = drained.aborted, "stopped");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_url_only_the_host_is_said() {
        for (url, said) in [
            ("https://user:hunter2@backend.example:8443/token/api/v1/write?key=k", "backend.example:8443"),
            ("http://[::1]/api/v1/write", "[::1]"),
            ("http://b/", "b"),
        ] {
            assert_eq!(host(url), said);
        }
    }
}
