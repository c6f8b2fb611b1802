//! How a write request is written: version and encoding, and how its headers and its first bytes tell them.

use serde::{Deserialize, Serialize};

/// How a sender writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// Remote write 1.0 in snappy, which every sender and receiver knows
    #[default]
    V1,
    /// Remote write 2.0 in snappy, as Prometheus sends it where told so
    V2,
    /// Remote write 1.0 in zstd, as vmagent sends it
    Zstd,
}

impl Protocol {
    /// What its bodies are.
    pub fn form(self) -> Form {
        match self {
            Self::V1 => Form { version: Version::One, encoding: Encoding::Snappy },
            Self::V2 => Form { version: Version::Two, encoding: Encoding::Snappy },
            Self::Zstd => Form { version: Version::One, encoding: Encoding::Zstd },
        }
    }

    /// Headers that say so, in lower case: as Prometheus has them, those of zstd as vmagent.
    pub(crate) fn headers(self) -> [(&'static str, &'static str); 3] {
        let version = ("x-prometheus-remote-write-version", "0.1.0");
        match self {
            Self::V1 => [("content-type", TYPE), ("content-encoding", "snappy"), version],
            Self::V2 => [
                ("content-type", TYPE_2),
                ("content-encoding", "snappy"),
                ("x-prometheus-remote-write-version", "2.0.0"),
            ],
            Self::Zstd => [
                ("content-type", TYPE),
                ("content-encoding", "zstd"),
                ("x-victoriametrics-remote-write-version", "1"),
            ],
        }
    }
}

impl std::fmt::Display for Protocol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.form().fmt(f)
    }
}

const TYPE: &str = "application/x-protobuf";
const TYPE_2: &str = "application/x-protobuf;proto=io.prometheus.write.v2.Request";

/// Which message a body is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// `prometheus.WriteRequest`.
    #[default]
    One,
    /// `io.prometheus.write.v2.Request`.
    Two,
}

/// How a body is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// In snappy's block format.
    #[default]
    Snappy,
    /// In frames of Zstandard.
    Zstd,
}

/// What a body is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Form {
    /// Which message.
    pub version: Version,
    /// How it is compressed.
    pub encoding: Encoding,
}

impl std::fmt::Display for Form {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match (self.version, self.encoding) {
            (Version::One, Encoding::Snappy) => "1.0 in snappy",
            (Version::One, Encoding::Zstd) => "1.0 in zstd",
            (Version::Two, Encoding::Snappy) => "2.0 in snappy",
            (Version::Two, Encoding::Zstd) => "2.0 in zstd",
        })
    }
}

impl Version {
    /// The version that a Content-Type names; 1.0 without one. None: it names something else.
    pub(crate) fn of_type(content_type: Option<&str>) -> Option<Self> {
        let mut parts = content_type.unwrap_or(TYPE).split(';').map(str::trim);
        if !parts.next()?.eq_ignore_ascii_case(TYPE) {
            return None;
        }
        let proto = parts.find_map(|part| part.strip_prefix("proto="));
        match proto.unwrap_or("prometheus.WriteRequest") {
            "prometheus.WriteRequest" => Some(Self::One),
            "io.prometheus.write.v2.Request" => Some(Self::Two),
            _ => None,
        }
    }
}

impl Encoding {
    /// The encoding that a Content-Encoding names.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let all = [("snappy", Self::Snappy), ("zstd", Self::Zstd)];
        all.into_iter().find(|(known, _)| name.trim().eq_ignore_ascii_case(known)).map(|(_, found)| found)
    }

    /// What a body shows itself to be: frames of Zstandard begin so, and no block of snappy does.
    pub(crate) fn of_body(body: &[u8]) -> Self {
        if body.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) { Self::Zstd } else { Self::Snappy }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_name_the_form() {
        for protocol in [Protocol::V1, Protocol::V2, Protocol::Zstd] {
            let headers = protocol.headers();
            let form = protocol.form();
            assert_eq!(Version::of_type(Some(headers[0].1)), Some(form.version));
            assert_eq!(Encoding::named(headers[1].1), Some(form.encoding));
        }
        assert_eq!(Version::of_type(None), Some(Version::One));
        for other in ["text/plain", "application/x-protobuf; proto=other.Message"] {
            assert_eq!(Version::of_type(Some(other)), None);
        }
        assert_eq!(Encoding::named("gzip"), None);
    }
}
