//! An upstream that takes requests otherwise than senders expect.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hyper::Uri;

use super::Checker;
use crate::config::at::At;
use crate::config::raw::RawUpstream;
use crate::config::{Config, Delivery, Protocol, Upstream};

/// `remote_timeout` of Prometheus, and what other agents have as well.
const SENDERS_WAIT: Duration = Duration::from_secs(30);

impl Checker<'_> {
    pub(super) fn upstream_remarks(
        &mut self,
        raw: &At<RawUpstream>,
        upstream: &Upstream,
        listens_at: SocketAddr,
        admin: SocketAddr,
    ) {
        if let Some(at) = raw.value.url.as_ref().filter(|_| leads_to(&upstream.url, admin)) {
            self.warn(
                at.position,
                "the url leads to this gate's admin port (`admin.address`), which takes no samples; give the URL of the backend",
            );
        }
        if let Some(at) = raw.value.url.as_ref().filter(|_| leads_to(&upstream.url, listens_at)) {
            self.warn(
                at.position,
                "the url leads to this gate itself (`listen.address`): each request would come back, and is refused with a \
                 508; give the URL of the backend",
            );
        }
        let pathless = upstream.url.parse::<Uri>().is_ok_and(|url| matches!(url.path(), "" | "/"));
        if let Some(at) = raw.value.url.as_ref().filter(|_| pathless) {
            self.warn(
                at.position,
                "the url has no path, so requests go to `/`; most backends take them at `/api/v1/write`, Mimir at \
                 `/api/v1/push`",
            );
        }
        // theirs began to run earlier
        if upstream.timeout >= SENDERS_WAIT && upstream.delivery == Delivery::Sync {
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

impl Checker<'_> {
    /// What is written of an upstream, and changes nothing beside what else is written of it.
    pub(super) fn upstream_settings_in_vain(&mut self, raw: &RawUpstream, config: &Config) {
        let retry = &raw.protocol_retry;
        if retry.position.is_known() && config.upstream.protocol != Protocol::Auto {
            let message = format!(
                "`protocol_retry` has no effect with `protocol: {}`: nothing else is tried; leave it out, or give `protocol: auto`",
                raw.protocol.value
            );
            self.warn(retry.position, message);
        }
        self.delivery_settings_in_vain(raw, config.upstream.delivery);
        let Some(most) = &raw.max_label_value else {
            if raw.long_values.position.is_known() {
                let message =
                    "`long_values` has no effect without `max_label_value`, which says what is long";
                self.warn(raw.long_values.position, message);
            }
            return;
        };
        let longest = config.series.max_label_value_bytes;
        if config.upstream.long_values.is_some_and(|values| values.most >= longest) {
            let message = "`max_label_value` has no effect on what senders have: a series with a value longer than \
                           `series.max_label_value_size` is rejected before; set that above it";
            self.warn(most.position, message);
        }
    }
}

impl Checker<'_> {
    fn delivery_settings_in_vain(&mut self, raw: &RawUpstream, delivery: Delivery) {
        if let Some(queue) = raw.queue.as_ref().filter(|_| delivery == Delivery::Sync) {
            let message = "`queue` has no effect with `delivery: sync`, beside what an earlier run left in a queue; give \
                           `delivery: queue`, or leave it out";
            self.warn(queue.position, message);
        }
        if delivery == Delivery::Queue && raw.upstream_429.position.is_known() {
            let message = "`upstream_429` has no effect with `delivery: queue`: senders have their answer before the upstream \
                           is asked; leave it out";
            self.warn(raw.upstream_429.position, message);
        }
    }
}

/// Whether a URL is that of a server on this machine that listens there, as far as it says so itself.
fn leads_to(url: &str, listens_at: SocketAddr) -> bool {
    let Ok(url) = url.parse::<Uri>() else { return false };
    let port = url.port_u16().unwrap_or(if url.scheme_str() == Some("https") { 443 } else { 80 });
    let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
    let ip = match host {
        "localhost" => None,
        host => match host.parse::<IpAddr>() {
            Ok(ip) => Some(ip),
            Err(_) => return false,
        },
    };
    let here = listens_at.ip();
    let same = match ip {
        None => here.is_loopback() || here.is_unspecified(),
        Some(ip) => ip == here || ip.is_unspecified() || ip.is_loopback() && here.is_unspecified(),
    };
    port == listens_at.port() && same
}
