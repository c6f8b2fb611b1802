//! What is wrong with an address to listen on, and what to write.

use std::net::{IpAddr, Ipv6Addr};

use crate::config::cited::cited;

/// Behind an address that people write without one.
const PORT: &str = "9201";

/// Why a text is no address.
pub(super) fn refused(text: &str) -> String {
    // it may hold a password
    if text.contains("://") {
        return "expected an IP address with a port, such as `0.0.0.0:9201`, and no URL".into();
    }
    if text.is_empty() {
        return "expected an IP address with a port, such as `0.0.0.0:9201`, found nothing".into();
    }
    let hint = hint(text).map(|hint| format!("; {hint}")).unwrap_or_default();
    format!("`{}` is not an IP address with a port, such as `0.0.0.0:9201`{hint}", cited(text))
}

/// The same of an address that YAML does not take for a text: a list in brackets, or an alias. `tail` is the file from there.
pub(in crate::config) fn unquoted(tail: &str) -> Option<String> {
    let end =
        tail.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '[' | ']' | ':' | '*' | '.' | '%'));
    let text = &tail[..end.unwrap_or(tail.len())];
    if let Some(port) = text.strip_prefix("*:").filter(|port| is_port(port)) {
        return Some(format!("an alias begins with `*`; {}", all(port)));
    }
    let (address, port) = text.strip_prefix('[')?.split_once(']')?;
    let port = port.strip_prefix(':').filter(|port| is_port(port)).unwrap_or(PORT);
    let plain = address.split('%').next()?;
    plain.parse::<Ipv6Addr>().ok()?;
    Some(format!("a list begins with `[`; an IPv6 address needs quotes: '[{address}]:{port}'"))
}

fn hint(text: &str) -> Option<String> {
    if text.bytes().all(|b| b.is_ascii_digit()) && is_port(text) {
        return Some(format!("the address is missing, {}", all(text)));
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (text, None),
    };
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let written = port.filter(|port| is_port(port)).unwrap_or(PORT);
    let is_address = bare.map_or_else(
        || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv4()),
        |bare| bare.parse::<Ipv6Addr>().is_ok(),
    );
    if text.contains('%') {
        Some("a zone is the number of an interface, which `ip link` shows: `[fe80::1%2]:9201`".into())
    } else if matches!(bare.unwrap_or(host), "" | "*") {
        Some(all(written))
    } else if host == "localhost" {
        Some(format!("host names are not looked up, write `127.0.0.1:{written}`"))
    } else if is_address {
        Some(match port {
            None => "the port is missing".into(),
            Some(_) => "the port is not a number from 1 to 65535".into(),
        })
    } else if host.contains(':') || bare.is_some() {
        Some("an IPv6 address stands in brackets: `[::1]:9201`".into())
    } else if host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-')) && !host.is_empty()
    {
        let is_name = host.bytes().any(|b| b.is_ascii_alphabetic());
        is_name.then(|| "host names are not looked up, write an address of this machine".into())
    } else {
        None
    }
}

fn all(port: &str) -> String {
    format!("for all interfaces write `0.0.0.0:{port}`")
}

fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_says_what_is_wrong_and_what_to_write() {
        let everywhere = "for all interfaces write `0.0.0.0:9201`";
        let port = "the port is not a number from 1 to 65535";
        let brackets = "an IPv6 address stands in brackets: `[::1]:9201`";
        let zone = "a zone is the number of an interface, which `ip link` shows: `[fe80::1%2]:9201`";
        for (text, told) in [
            ("[::]:99999", Some(port)),
            ("1.2.3.4:99999", Some(port)),
            ("[::1]:", Some(port)),
            ("*:9201", Some(everywhere)),
            ("[*]:9201", Some(everywhere)),
            (":9201", Some(everywhere)),
            ("9201", Some("the address is missing, for all interfaces write `0.0.0.0:9201`")),
            ("[fe80::1%eth0]:9201", Some(zone)),
            ("fe80::1%eth0", Some(zone)),
            ("[::]", Some("the port is missing")),
            ("10.0.0.1", Some("the port is missing")),
            ("::1:9202", Some(brackets)),
            (":::9201", Some(brackets)),
            ("[zz]:1", Some(brackets)),
            ("localhost", Some("host names are not looked up, write `127.0.0.1:9201`")),
            ("gate:9201", Some("host names are not looked up, write an address of this machine")),
            ("1.2.3:9201", None),
            ("a b", None),
        ] {
            assert_eq!(hint(text).as_deref(), told, "{text}");
        }
        assert!("[fe80::1%2]:9201".parse::<std::net::SocketAddr>().is_ok());
    }

    #[test]
    fn an_address_that_needs_quotes_is_known() {
        for (tail, written) in [
            ("[::]:9201 }", Some("'[::]:9201'")),
            ("[::1]:9202, backlog: 5", Some("'[::1]:9202'")),
            ("[fe80::1%eth0]:1", Some("'[fe80::1%eth0]:1'")),
            ("[::]", Some("'[::]:9201'")),
            ("*:9201", Some("`0.0.0.0:9201`")),
            ("[ a, b ]", None),
            ("[abc]:1", None),
            ("*abc", None),
            ("*:x", None),
        ] {
            let told = unquoted(tail);
            assert_eq!(told.is_some(), written.is_some(), "{tail}");
            assert!(told.unwrap_or_default().contains(written.unwrap_or_default()), "{tail}");
        }
    }
}
