//! The checked configuration: every value parsed, bounded and with its default filled in.

mod access;
mod oauth2;
mod queue;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use self::access::{AdminUser, Credentials, Role, ServerTls, User, WriteUser};
pub use self::oauth2::OAuth2;
pub use self::queue::{Delivery, Queue, WhenFull};
use crate::policy::Definition;
use crate::series::{Limits, LongValues, SubjectTable};

/// The whole file.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The write port.
    pub listen: Listen,
    /// The admin port.
    pub admin: Admin,
    /// How requests name their tenant.
    pub tenant: Tenant,
    /// Where snapshots, queue and history live; `None` = memory only.
    pub data_dir: Option<PathBuf>,
    /// Where samples go. Exactly one for now.
    pub upstream: Upstream,
    /// The memory of the process.
    pub memory: Memory,
    /// The series index.
    pub series: Series,
    /// What reports tell apart.
    pub tracking: Tracking,
    /// What all policies that aggregate have in common.
    pub aggregation: Aggregation,
    /// First to last.
    pub policies: Vec<Definition>,
}

/// The write port and its limits.
#[derive(Clone, Debug, PartialEq)]
pub struct Listen {
    /// Where to listen.
    pub address: SocketAddr,
    /// Who may write; `None`: everybody.
    pub auth: Option<Vec<WriteUser>>,
    /// `None`: none.
    pub tls: Option<ServerTls>,
    /// Write paths beside the fixed ones, each starting with `/`.
    pub paths: Vec<String>,
    /// Also speak HTTP/2 without TLS (h2c, prior knowledge).
    pub http2: bool,
    /// Connections the kernel holds for us until we accept them.
    pub backlog: u32,
    /// Open connections at most; `None` = as many as there are descriptors and memory for.
    pub max_connections: Option<usize>,
    /// Compressed request body at most, bytes.
    pub max_body_bytes: usize,
    /// Decoded request body at most, bytes.
    pub max_decoded_bytes: usize,
    /// What all requests in hand may hold at one time, bytes; `None` = a quarter of the memory limit.
    pub max_in_flight_bytes: Option<usize>,
    /// From accept to the first byte.
    pub first_byte_timeout: Duration,
    /// From the first byte of a request to the end of its headers.
    pub header_timeout: Duration,
    /// From the end of the headers to the end of the body.
    pub body_timeout: Duration,
    /// Bytes a second at which a body has to come; 0 = any.
    pub min_body_rate: usize,
    /// What a sender is told of series that cannot be accepted.
    pub on_invalid: OnInvalid,
    /// Between a response and the next request.
    pub idle_timeout: Duration,
    /// After this age (±10%) a connection is closed with its next response; zero = never.
    pub max_connection_age: Duration,
    /// How long a shutdown may take, requests in hand and what aggregations made together.
    pub drain_timeout: Duration,
}

/// The admin port.
#[derive(Clone, Debug, PartialEq)]
pub struct Admin {
    /// Where to listen.
    pub address: SocketAddr,
    /// Who may use it; `None`: everybody.
    pub auth: Option<Vec<AdminUser>>,
    /// `None`: none.
    pub tls: Option<ServerTls>,
}

/// How requests name their tenant.
#[derive(Clone, Debug, PartialEq)]
pub struct Tenant {
    /// Request header that holds it; absent header = the empty tenant. Lower case.
    pub header: String,
    /// Scopes told apart at most; the others share one overflow tenant.
    pub max: usize,
}

/// The memory of the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    /// What the process may use, bytes; `None` = the tightest of cgroup v2, cgroup v1 and the machine.
    pub limit_bytes: Option<usize>,
}

/// One upstream. `Debug` shows scheme and host of the url only: some backends have tokens in the path.
#[derive(Clone, PartialEq)]
pub struct Upstream {
    /// Unique name; the `upstream` label of our own metrics.
    pub name: String,
    /// `http://` or `https://`, with the path of the write endpoint.
    pub url: String,
    /// For one request in all, retry included.
    pub timeout: Duration,
    /// How idle connections are kept.
    pub idle_timeout: Duration,
    /// After this age (±10%) kept connections are left for new ones; zero = never.
    pub max_connection_age: Duration,
    /// Credentials we add.
    pub auth: UpstreamAuth,
    /// Headers we add, name (lower case) and value.
    pub headers: Vec<(String, Secret)>,
    /// Pass the sender's `Authorization` on.
    pub forward_authorization: bool,
    /// What the sender is told when the upstream answers 429.
    pub on_throttle: OnThrottle,
    /// Compressed bytes of a body at most; larger ones are split.
    pub max_body_bytes: Option<usize>,
    /// What becomes of a body of which the upstream refuses something.
    pub on_400: OnRefusal,
    /// In which form samples are sent.
    pub protocol: Protocol,
    /// What is looked for in series.
    pub validation: Validation,
    /// What becomes of label values that are longer than the upstream takes; `None`: there are none.
    pub long_values: Option<LongValues>,
    /// After so long a form that was refused is tried again.
    pub protocol_retry: Duration,
    /// When a sender is told that its data is safe.
    pub delivery: Delivery,
    /// What is kept on disk with [`Delivery::Queue`].
    pub queue: Queue,
    /// TLS settings; used with `https://` only.
    pub tls: Tls,
}

impl std::fmt::Debug for Upstream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let host_end = self.url.match_indices('/').nth(2).map_or(self.url.len(), |(at, _)| at);
        f.debug_struct("Upstream")
            .field("name", &self.name)
            .field("url", &format_args!("{}/…", &self.url[..host_end]))
            .field("timeout", &self.timeout)
            .field("idle_timeout", &self.idle_timeout)
            .field("max_connection_age", &self.max_connection_age)
            .field("auth", &self.auth)
            .field("headers", &self.headers)
            .field("forward_authorization", &self.forward_authorization)
            .field("on_throttle", &self.on_throttle)
            .field("max_body_bytes", &self.max_body_bytes)
            .field("on_400", &self.on_400)
            .field("protocol", &self.protocol)
            .field("validation", &self.validation)
            .field("long_values", &self.long_values)
            .field("protocol_retry", &self.protocol_retry)
            .field("delivery", &self.delivery)
            .field("queue", &self.queue)
            .field("tls", &self.tls)
            .finish()
    }
}

/// Credentials for an upstream.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum UpstreamAuth {
    /// None.
    #[default]
    None,
    /// HTTP basic.
    Basic(BasicAuth),
    /// `Authorization: Bearer …`.
    Bearer(Secret),
    /// The same, with tokens that a server gives.
    OAuth2(Box<OAuth2>),
}

/// HTTP basic credentials.
#[derive(Clone, Debug, PartialEq)]
pub struct BasicAuth {
    /// User.
    pub username: String,
    /// Password.
    pub password: Secret,
}

/// What a sender is told of series that cannot be accepted; the valid rest is written in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnInvalid {
    /// 400, and 204 from the third time on that it sends the very same: some senders repeat a refused request for ever, and
    /// nothing new of theirs gets through.
    #[default]
    Report,
    /// 204.
    Accept,
    /// 400.
    AlwaysReport,
}

/// What a 429 of the upstream becomes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnThrottle {
    /// 429 with Retry-After: Prometheus drops the data unless told otherwise.
    #[default]
    Pass,
    /// 503: the sender keeps its data and comes again.
    Retry,
}

/// What becomes of a body of which the upstream refuses something (400, 409, 422).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnRefusal {
    /// The sender is told, and all of it counts as refused.
    #[default]
    Pass,
    /// Its halves are sent alone, so that what is refused is found and the rest is kept.
    Bisect,
}

/// In which form samples are sent to an upstream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// As they came, if the upstream takes that; else remote write 1.0 in snappy.
    #[default]
    Auto,
    /// Remote write 1.0 in snappy.
    V1,
    /// Remote write 2.0 in snappy.
    V2,
    /// Remote write 1.0 in zstd, as vmagent sends it.
    Zstd,
}

/// What is looked for in series beside what the gate itself cannot work with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Validation {
    /// What can be mended without loss is mended, and what every backend refuses is rejected.
    #[default]
    Repair,
    /// All that is against the rules of remote write is rejected.
    Strict,
    /// Nothing is looked for, and nothing mended.
    Off,
}

/// TLS towards an upstream.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tls {
    /// PEM certificates to trust instead of the built-in roots.
    pub ca_file: Option<PathBuf>,
    /// PEM client certificate; goes with `key_file`.
    pub cert_file: Option<PathBuf>,
    /// PEM key of the client certificate.
    pub key_file: Option<PathBuf>,
    /// Name to verify instead of the URL's host.
    pub server_name: Option<String>,
    /// Also trust the authorities of the machine.
    pub system_roots: bool,
    /// Verify nothing. For tests.
    pub insecure_skip_verify: bool,
    /// Changes when the content of one of the files does: a renewed certificate keeps its path.
    pub content_hash: u64,
}

/// The series index and the limits of one series.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// A series not seen for this long is forgotten.
    pub idle_after: Duration,
    /// Series remembered at most; further ones are decided anew at each sample, counted.
    pub max_tracked: usize,
    /// After start, first sights are learned rather than new.
    pub warmup: Duration,
    /// Samples that are further ahead of our clock are rejected; `None`: none is.
    pub max_future: Option<Duration>,
    /// What is withheld from now on ends with a stale marker.
    pub stale_markers: bool,
    /// Labels of one series at most, the metric name included.
    pub max_labels: usize,
    /// Label name at most, bytes.
    pub max_label_name_bytes: usize,
    /// Label value at most, bytes.
    pub max_label_value_bytes: usize,
    /// Labels that name the pod or the job that a series is about.
    pub subjects: Arc<SubjectTable>,
}

impl Series {
    /// The bounds of one series.
    pub fn limits(&self) -> Limits {
        Limits {
            max_labels: self.max_labels,
            max_name_bytes: self.max_label_name_bytes,
            max_value_bytes: self.max_label_value_bytes,
        }
    }
}

/// What is told apart in reports; see `config/schema.json` and docs/config.md.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tracking {
    /// Metrics told apart at most.
    pub max_metrics: usize,
    /// Workloads told apart at most.
    pub max_workloads: usize,
    /// Runs of workloads (jobs, ReplicaSets) told apart at most.
    pub max_runs: usize,
    /// Senders told apart at most.
    pub max_senders: usize,
    /// Nodes told apart at most.
    pub max_nodes: usize,
    /// Owners of pods, jobs and ReplicaSets remembered at most; of what is more, the one not asked about for longest is forgotten.
    pub max_owners: usize,
    /// Causes of new series (metric, workload and changed labels) told apart at most.
    pub max_causes: usize,
    /// Label names whose values are counted at most.
    pub max_labels: usize,
    /// Values of a label counted one by one; of what is more, those with most series are found with a known error.
    pub values_per_label: usize,
    /// Memory at most for telling new label values from known ones, bytes.
    pub filter_bytes: usize,
}

/// What all policies that aggregate have in common, and what they may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aggregation {
    /// Labels that tell the replicas of one agent apart; never aggregated away.
    pub replica_labels: Arc<[String]>,
    /// Label that marks whose output a series is, and its value.
    pub instance: Option<(String, String)>,
    /// Groups at most.
    pub max_groups: usize,
    /// Series that are gone and whose last value is remembered, at most.
    pub max_tombstones: usize,
    /// Metrics whose type is remembered at most.
    pub max_types: usize,
    /// Samples at most that wait to be sent.
    pub max_pending_samples: usize,
    /// How far ahead of our clock a sample may be.
    pub max_future: Duration,
}

/// A value that is never printed: `Debug` shows `<secret>`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value, for the header it goes into.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("<secret>")
    }
}
