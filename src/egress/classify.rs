//! A status to what it means for the data (docs/architecture.md).
//!
//! The rule behind the table: what may be our own mistake (URL, credentials) must not cost the sender its
//! data, so it becomes a 503.

use hyper::StatusCode;

use super::Reply;
use super::failure::{Failure, Kind, Target};
use super::response::UpstreamResponse;
use crate::config::OnThrottle;
use crate::pipeline::Counts;
use crate::wire::{Form, Message};

/// The reply, and what to log.
pub(super) fn classify(
    answer: UpstreamResponse,
    (form, counts): (Form, Counts),
    on_throttle: OnThrottle,
    target: &Target,
) -> (Reply, Option<Failure>) {
    let (status, retry_after) = (answer.status, answer.retry_after);
    let logged = |kind, hint: &str| Some(Failure { kind, cause: sentence(target, &answer, hint) });
    let (told, failure) = match status.as_u16() {
        200..=299 if form.message == Message::V2 && answer.wrote_nothing() && !counts.is_zero() => {
            // it may have read 2.0 as 1.0, which leaves nothing of it and is no error
            let cause =
                sentence(target, &answer, "it does not say that it wrote anything of remote write 2.0");
            return (Reply::Unsupported { cause }, None);
        }
        200..=299 => return accepted(&answer, form, counts, target),
        415 if form != Form::PLAIN => {
            let cause = sentence(target, &answer, "it does not take the upstream's `protocol`");
            return (Reply::Unsupported { cause }, None);
        }
        400 if says_too_large(&answer.excerpt) => return (Reply::TooLarge { excerpt: answer.excerpt }, None),
        400 | 409 | 422 => {
            let failure = logged(Kind::Invalid, "the data is refused for good");
            let UpstreamResponse { excerpt, written, .. } = answer;
            return (Reply::Invalid { status, excerpt, written }, failure);
        }
        // not worth a line: it is split and sent again
        413 => return (Reply::TooLarge { excerpt: answer.excerpt }, None),
        429 => {
            let failure = logged(Kind::Throttled, "it takes no more for now");
            if on_throttle == OnThrottle::Pass {
                return (Reply::Throttled { retry_after, excerpt: answer.excerpt }, failure);
            }
            (StatusCode::SERVICE_UNAVAILABLE, failure)
        }
        500..=599 => (status, logged(Kind::ServerError, "")),
        300..=499 => {
            (StatusCode::SERVICE_UNAVAILABLE, logged(Kind::Misconfigured, &what_to_check(status, &answer)))
        }
        _ => (StatusCode::SERVICE_UNAVAILABLE, logged(Kind::Garbage, "which is no final HTTP status")),
    };
    let cause = failure.as_ref().map(|failure| failure.cause.clone()).unwrap_or_default();
    (Reply::Unavailable { status: told, retry_after, cause }, failure)
}

/// 2xx. A receiver of 2.0 that does not have all should not say so; what it counts is more than what its status says. Of 1.0 counts
/// mean nothing.
fn accepted(
    answer: &UpstreamResponse,
    form: Form,
    sent: Counts,
    target: &Target,
) -> (Reply, Option<Failure>) {
    let written = answer.written.filter(|_| form.message == Message::V2).unwrap_or(sent);
    if written.min(sent) == sent {
        return (Reply::Accepted, None);
    }
    let hint = format!("it counts {written} of {sent} as written");
    let failure = Failure { kind: Kind::Invalid, cause: sentence(target, answer, &hint) };
    (Reply::AcceptedInPart { written }, Some(failure))
}

/// What backends say in a 400 that means what a 413 does. VictoriaMetrics (seen with 1.79.5 and 1.150) above
/// `-maxInsertRequestSize`, compressed and decoded; Prometheus (3.14 to 3.16) above 32 MiB decoded; Mimir and Cortex above their
/// largest message; and what Go's server says of a body above its limit.
const TOO_LARGE: [&str; 6] = [
    "too big packed request",
    "too big unpacked request",
    "decoded size exceeds",
    "message larger than max",
    "err-mimir-distributor-max-write-message-size",
    "request body too large",
];

fn says_too_large(excerpt: &str) -> bool {
    TOO_LARGE.iter().any(|said| excerpt.contains(said))
}

fn what_to_check(status: StatusCode, answer: &UpstreamResponse) -> String {
    match status.as_u16() {
        300..=399 => match &answer.location {
            Some(location) => {
                format!("redirects are not followed: set the upstream's url to where it leads ({location})")
            }
            None => "redirects are not followed: check the upstream's url".to_owned(),
        },
        401 => "check the upstream's credentials".to_owned(),
        403 => "check the upstream's credentials and what they allow".to_owned(),
        404 | 405 => "check the path in the upstream's url".to_owned(),
        415 => "it takes no remote write 1.0: set the upstream's `protocol: v2` if it takes 2.0 only, else check \
                its url"
            .to_owned(),
        _ => "check the upstream's url and credentials".to_owned(),
    }
}

fn sentence(target: &Target, answer: &UpstreamResponse, hint: &str) -> String {
    let mut text = format!("{target} answered {}", answer.status.as_u16());
    let reason = answer.status.canonical_reason();
    for (before, part) in [(" ", reason.unwrap_or_default()), (": ", hint), ("; it says: ", &answer.excerpt)]
    {
        if !part.is_empty() {
            text.push_str(before);
            text.push_str(part);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn classified(code: u16, on_throttle: OnThrottle) -> (Reply, Option<Failure>) {
        let uri = "http://backend:8428/secret-token/write".parse().unwrap();
        let answer = UpstreamResponse {
            status: StatusCode::from_u16(code).unwrap(),
            retry_after: Some(Duration::from_secs(3)),
            location: None,
            excerpt: "why".to_owned(),
            written: None,
        };
        let sent = (Form::PLAIN, Counts::default());
        classify(answer, sent, on_throttle, &Target::new("primary", &uri))
    }

    #[test]
    fn every_status_has_a_meaning() {
        for code in 100..=999 {
            let (reply, failure) = classified(code, OnThrottle::Pass);
            let told = match &reply {
                Reply::Accepted => 200,
                Reply::AcceptedInPart { written } => panic!("nothing was counted: {written}"),
                Reply::Invalid { status, .. } => status.as_u16(),
                Reply::TooLarge { .. } => 413,
                Reply::Throttled { .. } => 429,
                Reply::Unavailable { status, .. } => status.as_u16(),
                Reply::Unsupported { cause } => panic!("plain is what everyone takes: {cause}"),
            };
            let expected = match code {
                200..=299 => 200,
                400 | 409 | 413 | 422 | 429 | 500..=599 => code,
                _ => 503,
            };
            assert_eq!(told, expected, "{code}");
            assert_eq!(
                failure.is_none(),
                matches!(reply, Reply::Accepted | Reply::TooLarge { .. }),
                "{code}"
            );
            if let Reply::Unavailable { cause, .. } = reply {
                assert!(
                    cause.starts_with(&format!("upstream primary (backend:8428) answered {code}")),
                    "{cause}"
                );
                assert!(!cause.contains("secret-token"), "{cause}");
            }
        }
    }

    #[test]
    fn a_400_that_says_too_large_is_split_and_others_are_not() {
        for (said, is_large) in [
            ("decoded size exceeds the 33554432 bytes limit", true),
            ("too big unpacked request; mustn't exceed 33554432 bytes; got 36864123 bytes", true),
            ("too big packed request; mustn't exceed `-maxInsertRequestSize=33554432` bytes", true),
            ("received message larger than max (104857601 vs 104857600)", true),
            ("out of bounds", false),
            ("label value too long", false),
        ] {
            let uri = "http://backend:8428/write".parse().unwrap();
            let status = StatusCode::BAD_REQUEST;
            let answer = UpstreamResponse {
                status,
                retry_after: None,
                location: None,
                excerpt: said.to_owned(),
                written: None,
            };
            let (reply, failure) = classify(
                answer,
                (Form::PLAIN, Counts::default()),
                OnThrottle::Pass,
                &Target::new("primary", &uri),
            );
            assert_eq!(matches!(reply, Reply::TooLarge { .. }), is_large, "{said}");
            assert_eq!(failure.is_none(), is_large, "{said}");
        }
    }

    #[test]
    fn a_throttled_sender_may_be_told_to_come_again() {
        let retry_after = Some(Duration::from_secs(3));
        let (reply, _) = classified(429, OnThrottle::Pass);
        assert_eq!(reply, Reply::Throttled { retry_after, excerpt: "why".to_owned() });
        let (reply, _) = classified(429, OnThrottle::Retry);
        let Reply::Unavailable { status, retry_after: told, .. } = reply else { panic!("{reply:?}") };
        assert_eq!((status.as_u16(), told), (503, retry_after));
    }

    #[test]
    fn causes_say_what_to_check() {
        for (code, hint) in [(302, "redirects"), (401, "credentials"), (404, "path"), (415, "`protocol: v2`")]
        {
            let (_, failure) = classified(code, OnThrottle::Pass);
            let cause = failure.unwrap().cause;
            assert!(cause.contains(hint) && cause.ends_with("; it says: why"), "{cause}");
        }
    }
}
