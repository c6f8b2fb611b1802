//! Standard output, of which somebody may read no more than the first lines (`| head`), and standard error.

use std::fmt::{self, Display};
use std::io::{self, ErrorKind, Write as _};
use std::process::ExitCode;

/// Writes a line to standard error, as `eprintln!` does, which panics where that takes nothing: a full disk, a reader that is
/// gone. How a command ends does not depend on who reads what it says of it.
macro_rules! tell {
    ($($line:tt)*) => { $crate::cli::output::tell_line(format_args!($($line)*)) };
}
pub(super) use tell;

/// What [`tell`] does.
pub(super) fn tell_line(line: fmt::Arguments<'_>) {
    // there is nowhere left to say that it failed
    writeln!(io::stderr().lock(), "{line}").ok();
}

/// Writes a line. Where it cannot be written the program ends.
pub(super) fn say(line: impl Display) {
    if let Err(error) = as_far_as_read(writeln!(io::stdout().lock(), "{line}")) {
        failed(&error);
        std::process::exit(1);
    }
}

/// Writes what is all that a command says.
pub(super) fn put(text: &[u8]) -> io::Result<()> {
    all_of(io::stdout().lock().write_all(text))
}

/// What was `written`, with what still waits to be: the last line may not have ended.
pub(super) fn all_of(written: io::Result<()>) -> io::Result<()> {
    as_far_as_read(written.and_then(|()| io::stdout().lock().flush()))
}

/// Ends a command: what it said has to be out for it to be well.
pub(super) fn end(code: ExitCode) -> ExitCode {
    match all_of(Ok(())) {
        Err(error) if code == ExitCode::SUCCESS => {
            failed(&error);
            ExitCode::FAILURE
        }
        _ => code,
    }
}

/// Says that standard output took no more.
pub(super) fn failed(error: &io::Error) {
    tell!("{}", unwritten(error));
}

/// The same as words.
pub(super) fn unwritten(error: &io::Error) -> String {
    format!("cannot write to standard output: {error}")
}

/// That nobody reads any more is no failure.
pub(super) fn as_far_as_read(written: io::Result<()>) -> io::Result<()> {
    written.or_else(|error| if is_closed(&error) { Ok(()) } else { Err(error) })
}

/// Whether nobody reads any more.
pub(super) fn is_closed(error: &io::Error) -> bool {
    error.kind() == ErrorKind::BrokenPipe
}
