//! Requests that are refused as a whole.

use hyper::StatusCode;

use super::Gate;
use super::rejected::Sender;
use crate::codec::CodecError;
use crate::intake::{SenderReply, Typed};
use crate::pipeline::Undecodable;
use crate::telemetry::Undecodable as Unread;
use crate::wire::WireErrorKind;

impl Gate {
    /// Refuses what cannot be read.
    pub(super) fn undecodable(&self, why: &Undecodable, typed: Typed, sender: &Sender) -> SenderReply {
        let reason = match why {
            Undecodable::Compressed(CodecError::Snappy(_)) => Unread::Snappy,
            Undecodable::Compressed(CodecError::Zstd(_)) => Unread::Zstd,
            Undecodable::Wire(_) | Undecodable::WireV2(_) => Unread::Protobuf,
            Undecodable::Outgrown(_) | Undecodable::Unfolded(_) => Unread::Outgrown,
            Undecodable::NoRoom => Unread::Overload,
        };
        self.intake.undecodable(reason);
        let other_message = matches!(why, Undecodable::Wire(error) | Undecodable::WireV2(error) if error.kind == WireErrorKind::OtherMessage);
        let vague = typed == Typed::Vague && reason != Unread::Outgrown;
        let unsupported = vague || other_message;
        let status = if unsupported { StatusCode::UNSUPPORTED_MEDIA_TYPE } else { StatusCode::BAD_REQUEST };
        let hint = if vague { "; of remote write the Content-Type is application/x-protobuf" } else { "" };
        self.turn_away(sender, reason, SenderReply::nothing_written(status, None, format!("{why}{hint}")))
    }

    /// Notes that a request is refused as a whole, and hands on the answer.
    pub(super) fn turn_away(&self, sender: &Sender, reason: Unread, answer: SenderReply) -> SenderReply {
        self.note(sender, reason, answer.status, &answer.message);
        answer
    }

    pub(super) fn note(&self, sender: &Sender, reason: Unread, status: StatusCode, message: &str) {
        let now = self.pipeline.clock().unix_seconds();
        let rejected = sender.rejected(reason.as_str(), message, status.as_u16(), now);
        self.complaints.of_request(sender, reason, &rejected, crate::clock::monotonic());
        self.rejected.note(rejected);
    }
}
