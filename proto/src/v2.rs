// Generated from proto/prometheus/*.proto by proto/tests/generated.rs; do not edit.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Request {
    /// Every text once; the first is empty.
    #[prost(string, repeated, tag = "4")]
    pub symbols: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
    #[prost(message, repeated, tag = "5")]
    pub timeseries: ::prost::alloc::vec::Vec<TimeSeries>,
}
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct TimeSeries {
    /// Pairs of name and value, as positions in `symbols`.
    #[prost(uint32, repeated, tag = "1")]
    pub labels_refs: ::prost::alloc::vec::Vec<u32>,
    #[prost(message, repeated, tag = "2")]
    pub samples: ::prost::alloc::vec::Vec<Sample>,
    #[prost(message, repeated, tag = "3")]
    pub histograms: ::prost::alloc::vec::Vec<Histogram>,
    #[prost(message, repeated, tag = "4")]
    pub exemplars: ::prost::alloc::vec::Vec<Exemplar>,
    #[prost(message, optional, tag = "5")]
    pub metadata: ::core::option::Option<Metadata>,
}
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Exemplar {
    #[prost(uint32, repeated, tag = "1")]
    pub labels_refs: ::prost::alloc::vec::Vec<u32>,
    #[prost(double, tag = "2")]
    pub value: f64,
    /// Milliseconds since the Unix epoch.
    #[prost(int64, tag = "3")]
    pub timestamp: i64,
}
#[derive(Clone, Copy, PartialEq, ::prost::Message)]
pub struct Sample {
    #[prost(double, tag = "1")]
    pub value: f64,
    /// Milliseconds since the Unix epoch.
    #[prost(int64, tag = "2")]
    pub timestamp: i64,
    /// Milliseconds since the Unix epoch; 0: not known.
    #[prost(int64, tag = "3")]
    pub start_timestamp: i64,
}
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Metadata {
    #[prost(enumeration = "metadata::MetricType", tag = "1")]
    pub r#type: i32,
    #[prost(uint32, tag = "3")]
    pub help_ref: u32,
    #[prost(uint32, tag = "4")]
    pub unit_ref: u32,
}
/// Nested message and enum types in `Metadata`.
pub mod metadata {
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
    #[repr(i32)]
    pub enum MetricType {
        Unspecified = 0,
        Counter = 1,
        Gauge = 2,
        Histogram = 3,
        Gaugehistogram = 4,
        Summary = 5,
        Info = 6,
        Stateset = 7,
    }
    impl MetricType {
        /// String value of the enum field names used in the ProtoBuf definition.
        ///
        /// The values are not transformed in any way and thus are considered stable
        /// (if the ProtoBuf definition does not change) and safe for programmatic use.
        pub fn as_str_name(&self) -> &'static str {
            match self {
                Self::Unspecified => "METRIC_TYPE_UNSPECIFIED",
                Self::Counter => "METRIC_TYPE_COUNTER",
                Self::Gauge => "METRIC_TYPE_GAUGE",
                Self::Histogram => "METRIC_TYPE_HISTOGRAM",
                Self::Gaugehistogram => "METRIC_TYPE_GAUGEHISTOGRAM",
                Self::Summary => "METRIC_TYPE_SUMMARY",
                Self::Info => "METRIC_TYPE_INFO",
                Self::Stateset => "METRIC_TYPE_STATESET",
            }
        }
        /// Creates an enum from field names used in the ProtoBuf definition.
        pub fn from_str_name(value: &str) -> ::core::option::Option<Self> {
            match value {
                "METRIC_TYPE_UNSPECIFIED" => Some(Self::Unspecified),
                "METRIC_TYPE_COUNTER" => Some(Self::Counter),
                "METRIC_TYPE_GAUGE" => Some(Self::Gauge),
                "METRIC_TYPE_HISTOGRAM" => Some(Self::Histogram),
                "METRIC_TYPE_GAUGEHISTOGRAM" => Some(Self::Gaugehistogram),
                "METRIC_TYPE_SUMMARY" => Some(Self::Summary),
                "METRIC_TYPE_INFO" => Some(Self::Info),
                "METRIC_TYPE_STATESET" => Some(Self::Stateset),
                _ => None,
            }
        }
    }
}
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Histogram {
    #[prost(double, tag = "3")]
    pub sum: f64,
    /// -4 to 8, or -53: custom bounds.
    #[prost(sint32, tag = "4")]
    pub schema: i32,
    #[prost(double, tag = "5")]
    pub zero_threshold: f64,
    #[prost(message, repeated, tag = "8")]
    pub negative_spans: ::prost::alloc::vec::Vec<BucketSpan>,
    #[prost(sint64, repeated, tag = "9")]
    pub negative_deltas: ::prost::alloc::vec::Vec<i64>,
    #[prost(double, repeated, tag = "10")]
    pub negative_counts: ::prost::alloc::vec::Vec<f64>,
    #[prost(message, repeated, tag = "11")]
    pub positive_spans: ::prost::alloc::vec::Vec<BucketSpan>,
    #[prost(sint64, repeated, tag = "12")]
    pub positive_deltas: ::prost::alloc::vec::Vec<i64>,
    #[prost(double, repeated, tag = "13")]
    pub positive_counts: ::prost::alloc::vec::Vec<f64>,
    #[prost(enumeration = "histogram::ResetHint", tag = "14")]
    pub reset_hint: i32,
    /// Milliseconds since the Unix epoch.
    #[prost(int64, tag = "15")]
    pub timestamp: i64,
    /// Upper bounds, inclusive, for schema -53.
    #[prost(double, repeated, tag = "16")]
    pub custom_values: ::prost::alloc::vec::Vec<f64>,
    /// Milliseconds since the Unix epoch; 0: not known.
    #[prost(int64, tag = "17")]
    pub start_timestamp: i64,
    #[prost(oneof = "histogram::Count", tags = "1, 2")]
    pub count: ::core::option::Option<histogram::Count>,
    #[prost(oneof = "histogram::ZeroCount", tags = "6, 7")]
    pub zero_count: ::core::option::Option<histogram::ZeroCount>,
}
/// Nested message and enum types in `Histogram`.
pub mod histogram {
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
    #[repr(i32)]
    pub enum ResetHint {
        Unspecified = 0,
        Yes = 1,
        No = 2,
        Gauge = 3,
    }
    impl ResetHint {
        /// String value of the enum field names used in the ProtoBuf definition.
        ///
        /// The values are not transformed in any way and thus are considered stable
        /// (if the ProtoBuf definition does not change) and safe for programmatic use.
        pub fn as_str_name(&self) -> &'static str {
            match self {
                Self::Unspecified => "RESET_HINT_UNSPECIFIED",
                Self::Yes => "RESET_HINT_YES",
                Self::No => "RESET_HINT_NO",
                Self::Gauge => "RESET_HINT_GAUGE",
            }
        }
        /// Creates an enum from field names used in the ProtoBuf definition.
        pub fn from_str_name(value: &str) -> ::core::option::Option<Self> {
            match value {
                "RESET_HINT_UNSPECIFIED" => Some(Self::Unspecified),
                "RESET_HINT_YES" => Some(Self::Yes),
                "RESET_HINT_NO" => Some(Self::No),
                "RESET_HINT_GAUGE" => Some(Self::Gauge),
                _ => None,
            }
        }
    }
    #[derive(Clone, Copy, PartialEq, ::prost::Oneof)]
    pub enum Count {
        #[prost(uint64, tag = "1")]
        CountInt(u64),
        #[prost(double, tag = "2")]
        CountFloat(f64),
    }
    #[derive(Clone, Copy, PartialEq, ::prost::Oneof)]
    pub enum ZeroCount {
        #[prost(uint64, tag = "6")]
        ZeroCountInt(u64),
        #[prost(double, tag = "7")]
        ZeroCountFloat(f64),
    }
}
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct BucketSpan {
    #[prost(sint32, tag = "1")]
    pub offset: i32,
    #[prost(uint32, tag = "2")]
    pub length: u32,
}
