//! `seriesgate run`: the process around a gate.

use std::fmt::Write;
use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::filter::{EnvFilter, LevelFilter};
use tracing_subscriber::fmt::{FormatFields, format};

use super::output::tell;
use crate::clock::Clock;
use crate::config::Loaded;
use crate::runtime::{self, Source, service_manager};
use crate::series::quote;

pub(super) fn run(path: &Path) -> ExitCode {
    let loaded = match super::load(path) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    log_to_stderr();
    let tokio = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(tokio) => tokio,
        Err(error) => {
            tell!("cannot start the async runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    tokio.block_on(serve(loaded, Source::File(path.to_owned())))
}

async fn serve(loaded: Loaded, source: Source) -> ExitCode {
    // before anything listens, so that a signal that comes at once is not lost
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tell!("cannot listen for signals");
        return ExitCode::FAILURE;
    };
    if loaded.config.data_dir.is_none() {
        tracing::info!("no data_dir: what the gate knows is kept in memory only");
    }
    loaded.remarks.log();
    let running = match runtime::start(loaded, source, Clock::system()).await {
        Ok(running) => running,
        Err(error) => {
            tell!("{error}");
            return ExitCode::FAILURE;
        }
    };
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
    ExitCode::SUCCESS
}

/// Fields of a log line, as `name=value`. What does not print is escaped, for some of it is text of senders and upstreams;
/// our own messages may have several lines.
fn fields() -> impl for<'w> FormatFields<'w> + 'static {
    format::debug_fn(|writer, field, value| {
        if field.name() == "message" {
            let lines = format!("{value:?}");
            write!(writer, "{}", quote::shown_lines(&lines))
        } else {
            write!(writer, "{field}=")?;
            write!(quote::Printing(writer), "{value:?}")
        }
    })
    .delimited(" ")
}

fn log_to_stderr() {
    let (filter, misunderstood) = filter(&std::env::var("SERIESGATE_LOG").unwrap_or_default());
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // it would be said on the same standard error, by a panic of whoever logs
        .log_internal_errors(false)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .fmt_fields(fields());
    // only the first subscriber of a process takes; a second start in one process keeps it
    drop(subscriber.try_init());
    if let Some(why) = misunderstood {
        tracing::warn!(
            "SERIESGATE_LOG is not understood, so `info` holds: {why}; write `debug`, or `info,seriesgate::egress=debug`"
        );
    }
}

/// Whether a word is no level. It would be taken for a module, of which everything is logged, and of all others nothing.
fn names_nothing(directive: &str) -> bool {
    let is_module = directive == env!("CARGO_PKG_NAME") || directive.contains("::");
    !directive.is_empty()
        && !directive.contains(['=', '['])
        && !is_module
        && directive.parse::<LevelFilter>().is_err()
}

/// What is logged, and what is wrong with what was asked for.
fn filter(asked: &str) -> (EnvFilter, Option<String>) {
    let usual = || EnvFilter::new("info");
    if asked.is_empty() {
        return (usual(), None);
    }
    if let Some(word) = asked.split(',').map(str::trim).find(|directive| names_nothing(directive)) {
        return (usual(), Some(format!("`{word}` is no level (off, error, warn, info, debug, trace)")));
    }
    match EnvFilter::try_new(asked) {
        Ok(filter) => (filter, None),
        Err(error) => (usual(), Some(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_no_level_silences_nothing() {
        for word in ["warning", "bogus", "info debug", "info,verbose", "=", "seriesgate=loud"] {
            let (filter, why) = filter(word);
            assert!(why.is_some(), "{word}");
            assert_eq!(filter.to_string(), "info", "{word}");
        }
        for known in
            ["", "WARN", "off", "info,seriesgate::egress=debug", "seriesgate", "hyper=info", "debug,"]
        {
            assert_eq!(filter(known).1, None, "{known}");
        }
    }
}
