//! `listen`, `admin` and `tenant`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::{Checker, address, http};
use crate::config::at::At;
use crate::config::cited::cited;
use crate::config::raw::{RawAdmin, RawListen, RawTenant};
use crate::config::{Admin, Listen, OnInvalid, Tenant, duration, size};

/// Prometheus keeps an idle connection for 5 minutes. Whoever closes first sees no error; it must not be us.
const MIN_IDLE: &str = "6m";

impl Checker<'_> {
    pub(super) fn listen(&mut self, raw: &RawListen) -> Listen {
        self.idle_timeout(raw);
        let invalid = [
            ("report", OnInvalid::Report),
            ("accept", OnInvalid::Accept),
            ("always_report", OnInvalid::AlwaysReport),
        ];
        let listen = Listen {
            address: self.address(&raw.address),
            auth: self.write_users(&raw.auth),
            tls: self.server_tls(&raw.tls),
            paths: raw.paths.iter().map(|path| self.write_path(path)).collect(),
            http2: raw.http2,
            backlog: u32::try_from(self.number(&raw.backlog, 1, 65_535)).unwrap_or(u32::MAX),
            max_connections: raw.max_connections.as_ref().map(|at| self.number(at, 1, 10_000_000)),
            max_body_bytes: self.size(&raw.max_body_size, "1KiB", "1GiB"),
            max_decoded_bytes: self.size(&raw.max_decoded_size, "1KiB", "1GiB"),
            max_in_flight_bytes: raw.max_in_flight.as_ref().map(|at| self.size(at, "1KiB", "1TiB")),
            first_byte_timeout: self.duration(&raw.first_byte_timeout, "1ms", "1h"),
            header_timeout: self.duration(&raw.header_timeout, "1ms", "1h"),
            body_timeout: self.duration(&raw.body_timeout, "1ms", "1h"),
            min_body_rate: self.size(&raw.min_body_rate, "0B", "1GiB"),
            on_invalid: self.choice(&raw.invalid, &invalid).unwrap_or_default(),
            idle_timeout: self.duration(&raw.idle_timeout, "0s", "1d"),
            max_connection_age: self.duration(&raw.max_connection_age, "0s", "30d"),
            drain_timeout: self.duration(&raw.drain_timeout, "0s", "1h"),
        };
        self.sizes_agree(raw);
        listen
    }

    fn idle_timeout(&mut self, raw: &RawListen) {
        let min = duration::parse(MIN_IDLE).expect("the bound is a duration");
        let at = &raw.idle_timeout;
        if duration::parse(&at.value.0).is_ok_and(|value| value < min) {
            let message = format!(
                "`{}` is too short; Prometheus keeps idle connections for 5m and must be the one to close them: expected at least `{MIN_IDLE}`",
                cited(&at.value.0)
            );
            self.refuse(at.position, message);
        }
    }

    /// The largest body must fit into what may be decoded and into what may be held.
    fn sizes_agree(&mut self, raw: &RawListen) {
        if self.could_not_read(&["max_body_size", "max_decoded_size"]) {
            return;
        }
        let Ok(body) = size::parse(&raw.max_body_size.value.0) else { return };
        let smaller = |text: &str| size::parse(text).is_ok_and(|limit| limit < body);
        let body_text = &raw.max_body_size;
        if smaller(&raw.max_decoded_size.value.0) {
            let message = format!(
                "`max_decoded_size` ({}) is smaller than `max_body_size` ({})",
                raw.max_decoded_size.value.0, body_text.value.0
            );
            self.refuse(raw.max_decoded_size.position.or(body_text.position), message);
        }
        if let Some(held) = raw.max_in_flight.as_ref().filter(|held| smaller(&held.value.0)) {
            let message = format!(
                "`max_in_flight` ({}) is smaller than `max_body_size` ({}): the largest body would never fit",
                held.value.0, body_text.value.0
            );
            self.refuse(held.position, message);
        }
    }

    pub(super) fn admin(&mut self, raw: &RawAdmin, raw_listen: &RawListen, listen: &Listen) -> Admin {
        let address = self.address(&raw.address);
        let known = !self.could_not_read(&["admin.address", "listen.address"]);
        if known && overlap(address, listen.address) {
            let place = raw.address.position.or(raw_listen.address.position);
            let message =
                format!("`admin.address` ({address}) and `listen.address` ({}) overlap", listen.address);
            self.refuse(place, message);
        }
        self.inside("admin", |check| Admin {
            address,
            auth: check.admin_users(&raw.auth),
            tls: check.server_tls(&raw.tls),
        })
    }

    pub(super) fn tenant(&mut self, raw: &RawTenant) -> Tenant {
        let header = self.accept(raw.header.position, http::header_name(&raw.header.value));
        Tenant { header: header.unwrap_or_default(), max: self.number(&raw.max, 1, 65_535) }
    }

    /// Port 0 of a stand-in overlaps with nothing.
    fn address(&mut self, at: &At<String>) -> SocketAddr {
        let parsed = at.value.parse().map_err(|_| address::refused(&at.value));
        self.accept(at.position, parsed).unwrap_or(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0))
    }

    fn write_path(&mut self, at: &At<String>) -> String {
        let path = at.value.as_str();
        let plain = |b: u8| b.is_ascii_graphic() && !matches!(b, b'?' | b'#');
        if !path.starts_with('/') || !path.bytes().all(plain) {
            self.refuse(at.position, "expected a path that starts with `/`, without `?`, `#` and spaces");
        } else if path.starts_with("/-/") {
            self.refuse(at.position, "paths under `/-/` are for health checks");
        }
        at.value.clone()
    }
}

/// Whether the two cannot both be bound.
fn overlap(a: SocketAddr, b: SocketAddr) -> bool {
    let covers =
        |x: IpAddr, y: IpAddr| x.is_unspecified() && (x.is_ipv6() || y.is_ipv4() || y.is_unspecified());
    // an address of IPv4 may be written as one of IPv6
    let (x, y) = (a.ip().to_canonical(), b.ip().to_canonical());
    a.port() != 0 && a.port() == b.port() && (x == y || covers(x, y) || covers(y, x))
}
