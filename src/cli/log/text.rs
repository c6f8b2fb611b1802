//! A line of the log as text: the message, then `name=value`.
//!
//! Some of it is text of senders and upstreams, so what does not print is escaped, the line feed too: an entry is one line. What
//! has several lines by its nature, the mistakes of a config, is in a field called `lines`; those are indented, and an
//! entry begins with its time, so none of them looks like one.

use std::fmt::Write;

use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::{FormatFields, format};

use crate::series::quote;

/// The field of several lines.
const LINES: &str = "lines";

/// Writes the fields of an entry.
pub(super) fn fields() -> impl for<'w> FormatFields<'w> + 'static {
    format::debug_fn(|writer, field, value| match field.name() {
        "message" => write!(quote::Printing(writer), "{value:?}"),
        LINES => {
            let text = format!("{value:?}");
            text.lines().try_for_each(|line| write!(writer, "\n  {}", quote::shown(line)))
        }
        name => {
            write!(writer, "{name}=")?;
            write!(quote::Printing(writer), "{value:?}")
        }
    })
    .delimited(" ")
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use parking_lot::Mutex;

    /// What is logged meanwhile.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(work: impl FnOnce()) -> String {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .without_time()
            .with_target(false)
            .fmt_fields(super::fields())
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, work);
        String::from_utf8(log.0.lock().clone()).unwrap()
    }

    #[test]
    fn an_entry_is_one_line_whatever_text_is_in_it() {
        let hostile = "a\nERROR all is lost\r\x1b[2J\u{2028}\u{202e}";
        let text = logged(|| {
            tracing::warn!(sender = hostile, shown = %hostile, debug = ?hostile, "it says: {hostile}");
        });
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.trim_end().chars().all(crate::series::quote::prints), "{text:?}");
        assert!(text.starts_with(" WARN it says: a\\nERROR all is lost"), "{text}");
        assert_eq!(text.matches("ERROR all is lost").count(), 4, "{text}");
    }

    #[test]
    fn what_has_several_lines_is_indented_and_escaped() {
        let text = logged(|| tracing::error!(lines = %"a\n\n\x1bb", "refused:"));
        assert_eq!(text, "ERROR refused: \n  a\n  \n  \\u001bb\n");
    }
}
