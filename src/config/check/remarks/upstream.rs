//! An upstream that takes requests otherwise than senders expect.

use std::time::Duration;

use hyper::Uri;

use super::Checker;
use crate::config::Upstream;
use crate::config::at::At;
use crate::config::raw::RawUpstream;

/// `remote_timeout` of Prometheus, and what other agents have as well.
const SENDERS_WAIT: Duration = Duration::from_secs(30);

impl Checker<'_> {
    pub(super) fn upstream_remarks(&mut self, raw: &At<RawUpstream>, upstream: &Upstream) {
        let pathless = upstream.url.parse::<Uri>().is_ok_and(|url| matches!(url.path(), "" | "/"));
        if let Some(at) = raw.value.url.as_ref().filter(|_| pathless) {
            self.warn(
                at.position,
                "the url has no path, so requests go to `/`; most backends take them at `/api/v1/write`, Mimir at \
                 `/api/v1/push`",
            );
        }
        if upstream.timeout > SENDERS_WAIT {
            let message = format!(
                "senders wait 30s by default (`remote_timeout`) and then send the same again, while the first request is \
                 still under way for up to {}; keep `timeout` below 30s, or raise theirs",
                raw.value.timeout.value.0
            );
            self.warn(raw.value.timeout.position.or(raw.position), message);
        }
        if let Some(tls) = raw.value.tls.as_ref().filter(|_| upstream.tls.insecure_skip_verify) {
            self.warn(
                tls.position,
                "`insecure_skip_verify` verifies no certificate: whoever answers for the host reads all samples and \
                 credentials; give `ca_file`",
            );
        }
    }
}
