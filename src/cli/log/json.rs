//! A line of the log as JSON: one object, whatever text of senders and upstreams is in it.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;

use serde::Serialize;
use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::series::quote;

/// Writes an entry.
pub(super) struct Json;

/// What is in it.
#[derive(Default, Serialize)]
struct Entry {
    timestamp: String,
    level: &'static str,
    target: String,
    message: String,
    /// Apart, so that none is taken for one of the above.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    fields: BTreeMap<&'static str, Value>,
}

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'l> LookupSpan<'l>,
    N: for<'w> FormatFields<'w> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let metadata = event.metadata();
        let mut entry = Entry {
            level: metadata.level().as_str(),
            target: metadata.target().to_owned(),
            ..Entry::default()
        };
        SystemTime.format_time(&mut Writer::new(&mut entry.timestamp))?;
        event.record(&mut entry);
        let line = serde_json::to_string(&entry).map_err(|_| fmt::Error)?;
        writeln!(writer, "{}", quote::json(line))
    }
}

impl Entry {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        match (field.name(), value.into()) {
            ("message", Value::String(text)) => self.message = text,
            (name, value) => drop(self.fields.insert(name, value)),
        }
    }
}

impl Visit for Entry {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.put(field, value.to_string());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use parking_lot::Mutex;
    use serde_json::json;

    use super::*;

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

    #[test]
    fn an_entry_is_one_object_in_one_line_whatever_text_is_in_it() {
        let hostile = "a\"b\\c\nd\r\t\0\x1b[2J\u{9b}\u{2028}\u{202e}\u{e0001}é";
        let log = Log::default();
        let writer = log.clone();
        let subscriber =
            tracing_subscriber::fmt().event_format(Json).with_writer(move || writer.clone()).finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(sender = hostile, shown = %hostile, level = 3, good = true, ratio = 0.5, "it says: {hostile}");
            tracing::error!(lines = %"a\nb", "refused:");
        });
        let text = String::from_utf8(log.0.lock().clone()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert!(lines.iter().all(|line| line.chars().all(quote::prints)), "{text:?}");
        let entries: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        let (said, fields) = (&entries[0], &entries[0]["fields"]);
        assert_eq!(said["message"], format!("it says: {hostile}"));
        assert_eq!(said["level"], "WARN");
        assert_eq!(said["target"], "seriesgate::cli::log::json::tests");
        assert!(said["timestamp"].as_str().unwrap().ends_with('Z'), "{said}");
        let wanted = json!({ "sender": hostile, "shown": hostile, "level": 3, "good": true, "ratio": 0.5 });
        assert_eq!(*fields, wanted);
        assert_eq!(entries[1]["fields"]["lines"], "a\nb");
    }
}
