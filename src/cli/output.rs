//! Standard output, of which somebody may read no more than the first lines (`| head`).

use std::fmt::Display;
use std::io::{self, ErrorKind, Write as _};

/// Writes a line. Where it cannot be written the program ends.
pub(super) fn say(line: impl Display) {
    if let Err(error) = as_far_as_read(writeln!(io::stdout().lock(), "{line}")) {
        eprintln!("cannot write to standard output: {error}");
        std::process::exit(1);
    }
}

/// That nobody reads any more is no failure.
pub(super) fn as_far_as_read(written: io::Result<()>) -> io::Result<()> {
    written.or_else(|error| if is_closed(&error) { Ok(()) } else { Err(error) })
}

/// Whether nobody reads any more.
pub(super) fn is_closed(error: &io::Error) -> bool {
    error.kind() == ErrorKind::BrokenPipe
}
