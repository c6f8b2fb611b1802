//! `upstreams[].delivery` and `upstreams[].queue`.

use super::Checker;
use crate::config::at::At;
use crate::config::raw::{RawConfig, RawQueue, RawUpstream};
use crate::config::{Delivery, Listen, Queue, Upstream, WhenFull};

impl Checker<'_> {
    pub(super) fn delivery(&mut self, raw: &RawUpstream) -> (Delivery, Queue) {
        let deliveries = [("sync", Delivery::Sync), ("queue", Delivery::Queue)];
        let delivery = self.choice(&raw.delivery, &deliveries).unwrap_or_default();
        if delivery == Delivery::Queue && raw.forward_authorization.value {
            self.refuse(
                raw.delivery.position,
                "`delivery: queue` and `forward_authorization: true` exclude each other: senders' credentials are not written to \
                 disk; give the upstream credentials of its own (`basic_auth`, `bearer_token`)",
            );
        }
        let defaults = At::default_value(RawQueue::default());
        let queue = raw.queue.as_ref().unwrap_or(&defaults);
        (delivery, self.inside("queue", |check| check.queue(&queue.value)))
    }

    /// A queue needs a place, and has to have room for any request.
    pub(super) fn room_for_queue(&mut self, raw: &RawConfig, listen: &Listen, upstream: Option<&Upstream>) {
        let Some(upstream) = upstream.filter(|upstream| upstream.delivery == Delivery::Queue) else { return };
        let Some(at) = raw.upstreams.as_ref().and_then(|upstreams| upstreams.value.first()) else { return };
        if raw.data_dir.is_none() && !self.could_not_read(&["data_dir"]) {
            self.refuse(
                at.value.delivery.position,
                "`delivery: queue` keeps requests on disk and needs a directory: set `data_dir`",
            );
        }
        // 0: it could not be read
        let is_known = upstream.queue.max_bytes > 0;
        if is_known && upstream.queue.max_bytes / 2 < listen.max_body_bytes {
            let queue = at.value.queue.as_ref();
            let position = queue.map_or(at.value.delivery.position, |queue| queue.value.max_size.position);
            self.refuse(
                position.or(at.value.delivery.position),
                "`queue.max_size` has to be at least twice `listen.max_body_size`, so that any request fits",
            );
        }
    }

    fn queue(&mut self, raw: &RawQueue) -> Queue {
        let full = [("refuse", WhenFull::Refuse), ("drop_oldest", WhenFull::DropOldest)];
        Queue {
            max_bytes: self.size(&raw.max_size, "64MiB", "64TiB"),
            when_full: self.choice(&raw.when_full, &full).unwrap_or_default(),
            max_age: self.duration(&raw.max_age, "1m", "30d"),
            max_request_bytes: self.size(&raw.max_request_size, "0B", "16MiB"),
            max_retry_wait: self.duration(&raw.max_retry_wait, "100ms", "10m"),
            dead_letter_bytes: self.size(&raw.dead_letters, "0B", "64GiB"),
        }
    }
}
