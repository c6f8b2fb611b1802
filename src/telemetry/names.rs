//! Every metric we export. `docs/metrics.md` says the same for users; a test compares.

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Values counted in buckets.
    Histogram,
}

/// One exported metric.
#[derive(Debug)]
pub struct Metric {
    /// Full name.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// Label names, in order.
    pub labels: &'static [&'static str],
    /// The HELP text.
    pub help: &'static str,
}

macro_rules! metrics {
    ($($(#[$meta:meta])* $ident:ident = $kind:ident $name:literal [$($label:literal),*] $help:literal;)*) => {
        $(
            #[doc = $help]
            pub(crate) static $ident: Metric =
                Metric { name: $name, kind: Kind::$kind, labels: &[$($label),*], help: $help };
        )*
        /// All of them, in the order of `docs/metrics.md`.
        pub static ALL: &[&Metric] = &[$(&$ident),*];
    };
}

metrics! {
    REQUESTS = Counter "seriesgate_requests_total" ["code"] "Write requests answered, by status code.";
    WRITE_DURATION = Histogram "seriesgate_write_duration_seconds" ["code"] "From the end of a request's headers to its answer, by the class of its status code (2xx, 4xx, 5xx); requests whose senders hung up have none.";
    DECIDE_DURATION = Histogram "seriesgate_decide_duration_seconds" [] "Decoding a request and deciding what becomes of each of its series.";
    REQUEST_BYTES = Counter "seriesgate_request_bytes_total" [] "Bytes of write request bodies read, as they came (compressed).";
    UNDECODABLE = Counter "seriesgate_undecodable_requests_total" ["reason"] "Write requests whose samples could not be counted, by reason.";
    CONNECTIONS = Gauge "seriesgate_connections" [] "Open connections on the write port.";
    CONNECTIONS_ACCEPTED = Counter "seriesgate_connections_accepted_total" [] "Connections accepted on the write port.";
    CONNECTIONS_REFUSED = Counter "seriesgate_connections_refused_total" ["reason"] "Connections closed without serving a request, by reason.";
    CONNECTIONS_AGED = Counter "seriesgate_connections_aged_total" [] "Connections closed with a response because they reached listen.max_connection_age.";
    ACCEPT_ERRORS = Counter "seriesgate_accept_errors_total" [] "Errors of accept(), out of file descriptors included.";
    OPEN_FILES = Gauge "seriesgate_open_files" [] "File descriptors in use by the process.";
    MAX_FILES = Gauge "seriesgate_max_files" [] "File descriptors the process may use (soft limit, raised at start).";
    IN_FLIGHT_BYTES = Gauge "seriesgate_in_flight_bytes" [] "Bytes that requests in hand hold: bodies, what they decode to or were rewritten as, what was decided, and the read buffers of their connections.";
    IN_FLIGHT_BYTES_MAX = Gauge "seriesgate_in_flight_bytes_max" [] "Bytes that requests in hand may hold; above it requests are answered 503. One that is larger all by itself is let in, one at a time.";
    UPSTREAM_REQUESTS = Counter "seriesgate_upstream_requests_total" ["upstream", "code"] "Requests sent upstream, by status code; code 0 = no answer.";
    UPSTREAM_DURATION = Histogram "seriesgate_upstream_duration_seconds" ["upstream"] "One request sent upstream, until its answer or until it was given up.";
    UPSTREAM_BYTES = Counter "seriesgate_upstream_bytes_total" ["upstream"] "Bytes of request bodies sent upstream (compressed).";
    UPSTREAM_RETRIES = Counter "seriesgate_upstream_retries_total" ["upstream"] "Requests sent again on a fresh connection because a kept one was closed under us.";
    UPSTREAM_SPLITS = Counter "seriesgate_upstream_splits_total" ["upstream"] "Requests split in two because they were too large for the upstream: it answered 413, or the 400 that VictoriaMetrics answers above `-maxInsertRequestSize`.";
    UPSTREAM_BISECTIONS = Counter "seriesgate_upstream_bisections_total" ["upstream"] "Requests split in two because the upstream refused something in them (upstreams[].on_400: bisect).";
    UPSTREAM_FALLBACKS = Counter "seriesgate_upstream_fallbacks_total" ["upstream"] "Requests sent again as remote write 1.0 in snappy because the upstream did not take the form that they were in.";
    UPSTREAM_NOT_CARRIED = Counter "seriesgate_upstream_not_carried_total" ["upstream", "what"] "What of remote write 2.0 did not go on as 1.0: start_timestamp = series that said when what they count began, metadata = metrics whose type, help and unit the upstream did not take.";
    UPSTREAM_TAKES = Gauge "seriesgate_upstream_takes" ["upstream", "protocol"] "Whether the upstream takes remote write 2.0 (v2) and zstd: 1 = it took it, 0 = it did not, -1 = it was not sent any yet.";
    UPSTREAM_TOKENS = Counter "seriesgate_upstream_tokens_total" ["upstream", "result"] "Times a token was asked for (upstreams[].oauth2), by result.";
    UPSTREAM_AGED = Counter "seriesgate_upstream_connections_aged_total" ["upstream"] "Times the kept connections were left for new ones because they reached upstreams[].max_connection_age.";
    QUEUE_RECORDS = Gauge "seriesgate_queue_requests" ["upstream"] "Requests on disk that wait for the upstream (upstreams[].delivery: queue).";
    QUEUE_SAMPLES = Gauge "seriesgate_queue_samples" ["upstream"] "Samples and native histograms in them.";
    QUEUE_BYTES = Gauge "seriesgate_queue_bytes" ["upstream"] "Bytes of the queue's files; they are deleted whole.";
    QUEUE_BYTES_MAX = Gauge "seriesgate_queue_bytes_max" ["upstream"] "Bytes that the queue's files may have (upstreams[].queue.max_size).";
    QUEUE_OLDEST = Gauge "seriesgate_queue_oldest_timestamp_seconds" ["upstream"] "When what waits longest in the queue came, Unix time; 0 = nothing waits.";
    QUEUE_APPENDED = Counter "seriesgate_queue_appended_samples_total" ["upstream"] "Samples and native histograms put into the queue; aggregated ones among them.";
    QUEUE_DELIVERED = Counter "seriesgate_queue_delivered_samples_total" ["upstream"] "Those of them that the upstream took.";
    QUEUE_DROPPED = Counter "seriesgate_queue_dropped_samples_total" ["upstream", "reason"] "Those of them that the upstream will never have, by reason.";
    QUEUE_REFUSED = Counter "seriesgate_queue_refused_requests_total" ["upstream"] "Times a request was answered 503 because the queue was full.";
    QUEUE_FAILURES = Counter "seriesgate_queue_failures_total" ["upstream"] "Times the disk did not take what was to be written to the queue.";
    QUEUE_DAMAGED = Counter "seriesgate_queue_damaged_total" ["upstream"] "Places in the queue's files that could not be read and were skipped; a crash may leave one at the end of a file, of what was not acknowledged.";
    QUEUE_SYNCS = Counter "seriesgate_queue_syncs_total" ["upstream"] "Times the queue waited for the disk (fsync); all requests that wait at one time share one.";
    QUEUE_RETRIES = Counter "seriesgate_queue_retries_total" ["upstream"] "Requests from the queue that the upstream did not take and that are sent again.";
    DEAD_LETTER_BYTES = Gauge "seriesgate_dead_letter_bytes" ["upstream"] "Bytes of what the upstream refused for good and is kept to be looked at (upstreams[].queue.dead_letters).";
    SAMPLES_RECEIVED = Counter "seriesgate_samples_received_total" [] "Float samples decoded, each time a request comes.";
    HISTOGRAMS_RECEIVED = Counter "seriesgate_histograms_received_total" [] "Native histograms decoded, each time a request comes.";
    EXEMPLARS_RECEIVED = Counter "seriesgate_exemplars_received_total" [] "Exemplars decoded, each time a request comes.";
    SAMPLES = Counter "seriesgate_samples_total" ["fate", "policy", "reason"] "Float samples by what became of them; the fates add up to what was received.";
    HISTOGRAMS = Counter "seriesgate_histograms_total" ["fate", "policy", "reason"] "Native histograms by what became of them.";
    EXEMPLARS = Counter "seriesgate_exemplars_total" ["fate", "policy", "reason"] "Exemplars by what became of them.";
    GENERATED = Counter "seriesgate_generated_samples_total" ["kind"] "Samples the gate made itself by kind.";
    REJECTED_METADATA = Counter "seriesgate_rejected_metadata_total" [] "Metadata entries taken out because their text is not UTF-8.";
    REPAIRED_SERIES = Counter "seriesgate_repaired_series_total" ["reason"] "Series mended before they went on, by what was wrong with them (upstreams[].validation: repair).";
    CUT = Counter "seriesgate_cut_samples_total" [] "Samples and native histograms that went on under a label value that was cut (upstreams[].max_label_value).";
    DECODED_BYTES = Counter "seriesgate_decoded_bytes_total" [] "Bytes of request bodies after decompression.";
    OVERFLOW_REQUESTS = Counter "seriesgate_tenant_overflow_requests_total" [] "Requests whose series were not remembered, because tenant.max scopes were told apart already, memory was short (seriesgate_memory_level 3), or their own was too long: policies drop, pass and relabel, and aggregate nothing.";
    ACCEPTED_IN_PART = Counter "seriesgate_requests_accepted_in_part_total" [] "Requests answered 204 although series of them were rejected, by listen.invalid: their sender had sent the same three times, or is never told.";
    TENANTS = Gauge "seriesgate_tenants" [] "Scopes told apart: tenants, and what else decides where their data lands.";
    TENANTS_FORGOTTEN = Counter "seriesgate_tenants_forgotten_total" [] "Scopes forgotten because they were silent for three hours and nothing of them was left.";
    MEMORY_LIMIT = Gauge "seriesgate_memory_limit_bytes" [] "Memory that the process may use: memory.limit, else the tightest of cgroup v2, cgroup v1 and the machine.";
    MEMORY_RESIDENT = Gauge "seriesgate_memory_resident_bytes" [] "Memory that the process has of the machine, without mapped files.";
    MEMORY_HELD = Gauge "seriesgate_memory_held_bytes" ["part"] "What parts of the gate say that they hold; up to two seconds old.";
    MEMORY_LEVEL = Gauge "seriesgate_memory_level" [] "What is given up for want of memory: 0 nothing, 1 idle series are forgotten early, 2 reports tell less apart, too, 3 new series are not tracked, too.";
    MEMORY_ENTERED = Counter "seriesgate_memory_levels_entered_total" ["level"] "Times that this was begun to be given up.";
    EVICTED_SERIES = Counter "seriesgate_evicted_series_total" [] "Series forgotten before they were idle for series.idle_after, for want of memory.";
    ACTIVE_SERIES = Gauge "seriesgate_active_series" [] "Series seen within series.idle_after.";
    NEW_SERIES = Counter "seriesgate_new_series_total" [] "Series seen for the first time (or again after they had expired).";
    LEARNED_SERIES = Counter "seriesgate_learned_series_total" [] "Those of the new series that came within series.warmup of the start or of their sender; they raise no alarm.";
    ENDED_SERIES = Counter "seriesgate_ended_series_total" [] "Series that ended with a stale marker.";
    EXPIRED_SERIES = Counter "seriesgate_expired_series_total" [] "Series not seen for series.idle_after and forgotten.";
    UNTRACKED_SERIES = Counter "seriesgate_untracked_series_total" [] "Times a new series found no room: series.max_tracked was reached, or memory was short (seriesgate_memory_level 3); it is decided anew at each sample.";
    UNGUARDED_SERIES = Counter "seriesgate_unguarded_series_total" [] "Times a series was sent although there was no room to note whose identity it has; collisions with it go unseen.";
    REWRITTEN_SERIES = Gauge "seriesgate_rewritten_series" [] "Active series that are sent under other labels; up to 16 seconds old.";
    CONTESTED_SERIES = Gauge "seriesgate_contested_series" [] "Active series held back because policies give them an identity that another series has.";
    CLAIMS = Gauge "seriesgate_claimed_identities" [] "Identities noted to belong to a rewritten series, or to one on its way into the index.";
    LABEL_EDITS = Gauge "seriesgate_label_edits" [] "Different edits of label sets kept for rewritten series.";
    WARMING_UP = Gauge "seriesgate_warming_up" [] "1 within series.warmup of the start.";
    FINDINGS = Gauge "seriesgate_findings" ["kind"] "Causes of many new series that the report names now, by kind; up to 76 seconds old.";
    STUCK_RUNS = Gauge "seriesgate_stuck_runs" [] "Runs that are over and still reported, of workloads that have ever more of them; up to 76 seconds old.";
    STUCK_SERIES = Gauge "seriesgate_stuck_series" [] "Series of those runs that have not ended; up to 76 seconds old.";
    TRACKED = Gauge "seriesgate_tracked" ["what"] "Metrics, workloads and so on that reports tell apart; up to 76 seconds old.";
    TRACKING_REFUSED = Counter "seriesgate_tracking_refused_total" ["what"] "Times something new was counted among the others because the limit for it in tracking was reached, of how many or of the text of their names.";
    TRACKED_TEXT = Gauge "seriesgate_tracked_text_bytes" ["what"] "Text of the names of what reports tell apart; up to 76 seconds old.";
    TRACKING_FORGOTTEN = Counter "seriesgate_tracking_forgotten_total" [] "Times known label values were forgotten early because tracking.filter_size was reached.";
    TRACKING_BYTES = Gauge "seriesgate_tracking_sketch_bytes" [] "Memory of the sketches and filters behind reports; up to 76 seconds old.";
    AGGREGATION_MEMBERS = Gauge "seriesgate_aggregation_members" ["policy"] "Series that are part of groups.";
    AGGREGATION_GROUPS = Gauge "seriesgate_aggregation_groups" ["policy"] "Groups: series sent in place of their members.";
    AGGREGATION_TOMBSTONES = Gauge "seriesgate_aggregation_tombstones" ["policy"] "Counters that are gone and whose last value is remembered.";
    AGGREGATION_BYTES = Gauge "seriesgate_aggregation_bytes" ["policy"] "Memory of groups, members, tombstones and open windows, and of the parts of each scope that hold them.";
    AGGREGATION_MIXED = Gauge "seriesgate_aggregation_mixed_buckets" ["policy"] "Histograms whose members do not all have the same buckets; quantiles of them are not exact.";
    AGGREGATION_BIRTHS = Counter "seriesgate_aggregation_births_total" ["policy"] "Counters that counted from zero, because they were born while their sender was watched.";
    AGGREGATION_BASELINES = Counter "seriesgate_aggregation_baselines_total" ["policy"] "Counters whose first sample was only where they start from.";
    AGGREGATION_MOVED = Counter "seriesgate_aggregation_moved_total" ["policy"] "Times a counter started again from where it is, because another gate may have had it in the meantime.";
    AGGREGATION_GIVEN_UP = Counter "seriesgate_aggregation_given_up_total" [] "Counters that are gone and whose last value was given up, for age (a day) or room (aggregation.max_tombstones).";
    AGGREGATION_RETYPED = Counter "seriesgate_aggregation_retyped_groups_total" ["policy"] "Groups that ended, and began anew as what they are, because metadata said that their metric is of another type than its name says.";
    AGGREGATION_REOPENED = Counter "seriesgate_aggregation_reopened_windows_total" ["policy"] "Windows closed ahead of time by a clock that was wrong, and opened again, in each of the sixteen parts of a tenant's groups.";
    AGGREGATION_SLOW = Counter "seriesgate_aggregation_slow_members_total" ["policy"] "Series found to be sampled slower than the interval of their policy.";
    AGGREGATION_WINDOWS = Counter "seriesgate_aggregation_windows_total" ["policy"] "Windows closed, in each of the sixteen parts of a tenant's groups.";
    AGGREGATION_PASSED = Counter "seriesgate_aggregation_passed_series_total" ["policy", "reason"] "Times a series was decided to pass a policy that was to aggregate it, by reason.";
    UNTYPED_SERIES = Gauge "seriesgate_aggregation_untyped" ["metric"] "Times series of a metric passed because nobody said what type it is; the 20 metrics with most.";
    AGGREGATION_PENDING = Gauge "seriesgate_aggregation_pending_samples" [] "Aggregated samples that wait to be sent.";
    AGGREGATION_HELD = Gauge "seriesgate_aggregation_held_samples" [] "Those of them that must not be sent before what they came from is in a snapshot.";
    AGGREGATION_RETRIES = Counter "seriesgate_aggregation_retries_total" [] "Requests with aggregated samples that the upstream did not take and that are sent again.";
    AGGREGATION_LOST = Counter "seriesgate_aggregation_lost_samples_total" ["reason"] "Aggregated samples that the upstream will never have, by reason.";
    AGGREGATION_REFUSED = Counter "seriesgate_aggregation_refused_total" ["what"] "Times a metric's type was forgotten to make room for another (aggregation.max_types), or a sender to make room for another (10,000 a tenant; it is a stranger when it comes again).";
    AGGREGATION_RESTARTS = Counter "seriesgate_aggregation_restarts_total" [] "Aggregations flushed and begun anew because their policies changed.";
    SNAPSHOTS = Counter "seriesgate_snapshots_total" ["result"] "Snapshots of aggregations, by result: each writes the tenants that changed.";
    SNAPSHOT_BYTES = Gauge "seriesgate_snapshot_bytes" [] "Size of the snapshots of all tenants.";
    SNAPSHOT_WRITTEN = Counter "seriesgate_snapshot_written_bytes_total" [] "Bytes written to snapshots.";
    SNAPSHOT_SECONDS = Gauge "seriesgate_snapshot_seconds" [] "How long the last snapshot took.";
    INDEX_BYTES = Gauge "seriesgate_index_bytes" [] "Memory of the series index.";
    POLICY_SAMPLES = Counter "seriesgate_policy_samples_total" ["policy", "mode", "direction"] "Samples that matched a policy (in) and those that remain after it (out); in preview, what would remain.";
    POLICY_SAVED_SERIES = Gauge "seriesgate_policy_saved_series" ["policy", "mode"] "Active series that a policy keeps from the upstream; in preview, would keep.";
    POLICY_LAST_MATCH = Gauge "seriesgate_policy_last_match_timestamp_seconds" ["policy", "mode"] "When a policy last matched a sample, Unix time; 0 = never since the start.";
    LIMIT_SERIES = Gauge "seriesgate_limit_series" ["policy"] "Series that a limit has admitted.";
    LIMIT_GROUPS = Gauge "seriesgate_limit_groups" ["policy", "mode", "state"] "Groups of a limit: calm, near (at warn_at or above) or full (series are not admitted; in preview, would not be).";
    LIMIT_WITHOUT_ROOM = Counter "seriesgate_limit_without_room_total" ["policy"] "Times a series was not admitted because nothing could be remembered of it: series.max_tracked is reached, or memory is short.";
    LIMIT_BYTES = Gauge "seriesgate_limit_bytes" ["policy"] "Memory of who is admitted, and of the groups.";
    PREVIEW_OVERFLOW = Gauge "seriesgate_preview_overflow" [] "Decisions that could not note their previews because the verdict table was full.";
    LOOP_LAST_ACTIVE = Gauge "seriesgate_loop_last_active_seconds" ["loop"] "Seconds since an internal loop last showed that it runs.";
    CONFIG_RELOADS = Counter "seriesgate_config_reloads_total" ["result"] "Attempts to reload the config, by result.";
    CONFIG_LAST_OK = Gauge "seriesgate_config_last_reload_successful" [] "Whether the last attempt to load the config took effect: 1, or 0.";
    CONFIG_LAST_OK_AT = Gauge "seriesgate_config_last_reload_success_timestamp_seconds" [] "When the config last took effect, Unix time.";
    BYPASS = Gauge "seriesgate_bypass" [] "1 while all policies are in preview by POST /-/bypass.";
    ADMIN_CONNECTIONS_CLOSED = Counter "seriesgate_admin_connections_closed_total" ["reason"] "Connections on the admin port closed by the gate before they were answered, by reason.";
    ADMIN_BROWSER_REQUESTS = Counter "seriesgate_admin_browser_requests_refused_total" [] "Reload and bypass requests refused because a browser sent them for a page.";
    ADMIN_REFUSED = Counter "seriesgate_admin_refused_requests_total" ["reason"] "Requests to the admin port that were refused because of admin.auth, by reason.";
    LISTEN_OVERFLOWS = Counter "seriesgate_listen_overflows_total" [] "Connections that the kernel turned away because the queue of a listening socket was full: of all sockets of the network namespace (the pod, or the machine), since it was made.";
    LISTEN_DROPS = Counter "seriesgate_listen_drops_total" [] "The same, and those that it turned away at a listening socket for another reason.";
    PROCESS_CPU = Counter "process_cpu_seconds_total" [] "CPU time that the process used, user and system, seconds.";
    PROCESS_RESIDENT = Gauge "process_resident_memory_bytes" [] "Memory that the process has of the machine, with mapped files.";
    PROCESS_VIRTUAL = Gauge "process_virtual_memory_bytes" [] "Size of its address space.";
    PROCESS_OPEN_FDS = Gauge "process_open_fds" [] "File descriptors in use.";
    PROCESS_MAX_FDS = Gauge "process_max_fds" [] "File descriptors it may use (soft limit).";
    PROCESS_START = Gauge "process_start_time_seconds" [] "When it started, Unix time.";
    PROCESS_THREADS = Gauge "process_threads" [] "Its threads.";
    BUILD_INFO = Gauge "seriesgate_build_info" ["version", "commit"] "Always 1.";
}
