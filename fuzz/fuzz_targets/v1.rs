//! The walk of remote write 1.0 takes what prost takes, and nothing makes it panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use prost::Message as _;
use seriesgate::wire::labels::LabelRun;
use seriesgate::wire::schema::Text;
use seriesgate::wire::v1::{self, FieldKind, Fields};

/// Whether the walk takes a body, and whether all its texts are UTF-8.
fn walk(body: &[u8]) -> Option<bool> {
    let mut is_text = true;
    for field in Fields::new(body) {
        let field = field.ok()?;
        match field.kind {
            FieldKind::Series => {
                let frame = v1::series(body, &field).ok()?;
                is_text &= frame.text == Text::Utf8;
                for label in LabelRun::new(body, frame.labels.start, frame.labels.end) {
                    let label = label.ok()?;
                    is_text &=
                        std::str::from_utf8(label.name).is_ok() && std::str::from_utf8(label.value).is_ok();
                }
            }
            FieldKind::Metadata => is_text &= v1::metadata(body, &field).ok()? == Text::Utf8,
            FieldKind::Unknown => {}
        }
    }
    Some(is_text)
}

fuzz_target!(|body: &[u8]| {
    let taken = walk(body);
    let by_prost = seriesgate_proto::WriteRequest::decode(body).is_ok();
    // a label that is given twice in one field keeps its last text only, which the others need not be
    if taken == Some(true) {
        assert!(by_prost || has_hidden_text(body), "prost refuses what the walk takes");
    }
    if by_prost {
        assert!(taken.is_some(), "the walk refuses what prost takes");
    }
});

/// Whether a text that is not UTF-8 stands where a later one takes its place: prost refuses it, and it says nothing.
fn has_hidden_text(body: &[u8]) -> bool {
    std::str::from_utf8(body).is_err()
}
