//! Progress on standard error.

use std::io::{IsTerminal, stderr};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::run::Progress;

/// Shows how far a run is: a bar on a terminal, lines elsewhere, nothing if so asked.
pub(super) struct Shown {
    bar: Option<ProgressBar>,
    lines: bool,
}

impl Shown {
    pub(super) fn new(quiet: bool) -> Self {
        let terminal = stderr().is_terminal();
        let bar = (!quiet && terminal).then(|| {
            let bar = ProgressBar::new(0);
            let style = "{bar:30} {percent:>3}% {elapsed} {msg}";
            bar.set_style(
                ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()),
            );
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Self { bar, lines: !quiet && !terminal }
    }

    /// Says something in its own line.
    pub(super) fn say(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None if self.lines => eprintln!("{text}"),
            None => {}
        }
    }

    pub(super) fn show(&self, progress: Progress) {
        let progress = match progress {
            Progress::Sending(seconds) => Progress::Doing(format!("sending for about {seconds:.0} s")),
            other => other,
        };
        match (progress, &self.bar) {
            (Progress::Doing(what), Some(bar)) => bar.set_message(what),
            (Progress::Doing(what), None) if self.lines => eprintln!("{what}"),
            (Progress::Second(at_s, of_s, point), bar) => {
                let message = format!(
                    "{:.0} samples/s, p99 {:.1} ms, {} failed, {:.2} cores, {} MiB, {} series out",
                    point.second.accepted,
                    point.second.latency.p99_ms,
                    point.second.failed,
                    point.cpu_share,
                    point.rss_kib / 1024,
                    point.series
                );
                match bar {
                    Some(bar) => {
                        bar.set_length(of_s.ceil() as u64);
                        bar.set_position((at_s as u64).min(of_s.ceil() as u64));
                        bar.set_message(message);
                    }
                    // in a log every tenth second is enough
                    None if self.lines && (at_s as u64).is_multiple_of(10) => {
                        eprintln!("{at_s:.0} of {of_s:.0} s: {message}");
                    }
                    None => {}
                }
            }
            _ => {}
        }
    }

    pub(super) fn done(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
