//! The config of a command: a file, or standard input.

use std::borrow::Cow;
use std::fs::{self, File};
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;
use std::process::ExitCode;

use super::output::tell;
use crate::config::{Config, ConfigErrors, Loaded, Secrets};
use crate::series::quote;

/// Exit status where nothing was begun: the command line is wrong, or the config is refused. What is tried and fails is 1.
pub(super) const REFUSED: u8 = 2;
/// What standard input is called in messages.
pub(super) const STDIN: &str = "<stdin>";

/// Whether a path stands for standard input.
pub(super) fn is_stdin(path: &Path) -> bool {
    path == Path::new("-") || path == Path::new("/dev/stdin")
}

/// What a config is called in messages.
pub(super) fn name(path: &Path) -> Cow<'_, str> {
    if is_stdin(path) { STDIN.into() } else { path.to_string_lossy() }
}

/// Reads the config of a gate that runs: a file, as a reload reads it again. Or says what is wrong with it.
pub(super) fn to_run(path: &Path) -> Result<Loaded, String> {
    if is_stdin(path) {
        let why = "a gate reads its config again at each reload, which it cannot do from standard input: put it into a file, and \
                   type `seriesgate run gate.yaml`";
        return Err(why.to_owned());
    }
    Config::load(path, &|name| std::env::var(name).ok()).map_err(|errors| errors.to_string())
}

/// Reads a config once: a file, a pipe (`<(…)`), or for `-` standard input. Prints what is wrong with it.
pub(super) fn once(path: &Path, secrets: Secrets<'_>) -> Result<Loaded, ExitCode> {
    if is_stdin(path) {
        return told(Config::load_stream(std::io::stdin().lock(), STDIN, secrets));
    }
    let is_pipe = fs::metadata(path).is_ok_and(|there| there.file_type().is_fifo());
    if is_pipe && let Ok(pipe) = File::open(path) {
        return told(Config::load_stream(pipe, &name(path), secrets));
    }
    told(Config::load_file(path, secrets))
}

/// Of what is to be read, the parts that are to come from standard input, if they are several: it can be read once.
pub(super) fn read_twice(parts: &[(&str, bool)]) -> Option<String> {
    let from_stdin: Vec<&str> = parts.iter().filter(|(_, is)| *is).map(|(part, _)| *part).collect();
    (from_stdin.len() > 1).then(|| {
        format!("{} cannot all come from standard input, which is read once", from_stdin.join(" and "))
    })
}

/// Says why nothing is begun.
pub(super) fn refuse(why: &str) -> ExitCode {
    tell!("{}", quote::shown_lines(why));
    ExitCode::from(REFUSED)
}

fn told(loaded: Result<Loaded, ConfigErrors>) -> Result<Loaded, ExitCode> {
    loaded.map_err(|errors| refuse(&errors.to_string()))
}
