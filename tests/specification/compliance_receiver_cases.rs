//! The series of the cases of the public compliance suite for receivers, by what they are about.

use seriesgate_proto::v2::metadata::MetricType;

use crate::series::{NAN, Pairs, STALE, Series, custom, exponential};

/// One request that is taken or refused; `kept`: how many of its series are written where it is refused.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) series: Vec<Series>,
    pub(crate) kept: Option<usize>,
}

fn taken(name: impl Into<String>, series: Vec<Series>) -> Case {
    Case { name: name.into(), series, kept: None }
}

fn refused(name: impl Into<String>, series: Vec<Series>, kept: usize) -> Case {
    Case { name: name.into(), series, kept: Some(kept) }
}

pub(crate) fn now() -> i64 {
    seriesgate::clock::Clock::system().unix_ms()
}

/// A minute after the other: what comes after the end of a series is newer.
fn minutes() -> impl Iterator<Item = i64> {
    let now = now();
    (0..).map(move |minute| now + (minute - 10) * 60_000)
}

const VALUES: [(&str, f64); 5] =
    [("1.0", 1.0), ("StaleNaN", STALE), ("NaN", NAN), ("Inf", f64::INFINITY), ("-Inf", f64::NEG_INFINITY)];

pub(crate) const TARGET: Pairs<'_> = &[("__name__", "up"), ("instance", "host:9100"), ("job", "node")];

/// One series with one value.
pub(crate) fn single_metric() -> Vec<Case> {
    let sets: [(&str, bool, Pairs<'_>); 7] = [
        ("simple", true, &[("__name__", "up")]),
        ("with multiple labels", true, TARGET),
        ("with newlines", true, &[("__name__", "up"), ("instance", "host:9100"), ("job", "a\nb\n")]),
        (
            "with dots",
            true,
            &[("__name__", "cpu.used.total"), ("host.name", "a.b:9100"), ("job.name", "node")],
        ),
        ("with spaces", true, &[("__name__", "cpu used total"), ("host name", "a b"), ("job name", "node")]),
        ("without name label", false, &[("instance", "host:9100"), ("job", "node")]),
        ("empty", false, &[]),
    ];
    let mut cases = Vec::new();
    for ((value, of), ms) in VALUES.into_iter().zip(minutes()) {
        for (name, is_valid, labels) in sets {
            let series = vec![Series::of(labels).sample(ms, of)];
            let name = format!("single metric/{value}/{name}");
            cases.push(if is_valid { taken(name, series) } else { refused(name, series, 0) });
        }
    }
    cases
}

/// Four series of one value each, with and without names.
pub(crate) fn multiple_metrics() -> Vec<Case> {
    let mut cases = Vec::new();
    for ((value, of), ms) in VALUES.into_iter().zip(minutes()) {
        let one = |n: usize, named: bool, ms: i64| {
            let instance = format!("host:910{n}");
            let labels = [("__name__", "up"), ("instance", &*instance), ("job", "node")];
            Series::of(&labels[usize::from(!named)..]).sample(ms, of)
        };
        // each later than the one before
        let all = |unnamed: usize| {
            (0..4).map(|n| one(n, n >= unnamed, ms + 5_000 * unnamed as i64)).collect::<Vec<_>>()
        };
        let name = |what: &str| format!("multiple metrics/{value}/{what}");
        cases.push(taken(name("all named"), all(0)));
        cases.push(refused(name("without name label"), all(4), 0));
        cases.push(refused(name("1 without name label"), all(1), 3));
    }
    cases
}

pub(crate) fn exemplars() -> Vec<Case> {
    let rows: [(&str, Pairs<'_>, Pairs<'_>); 7] = [
        ("basic", &[("__name__", "hits_total"), ("job", "web")], &[("trace_id", "4bf92f35")]),
        (
            "span id",
            &[("__name__", "wait_seconds"), ("verb", "GET")],
            &[("span_id", "00f067aa"), ("trace_id", "a3ce")],
        ),
        ("without trace id", &[("__name__", "load"), ("host", "h1")], &[("user", "u1")]),
        (
            "multiple labels",
            &[("__name__", "wait"), ("app", "login")],
            &[("path", "/in"), ("trace_id", "t"), ("user", "u")],
        ),
        ("no labels", &[("__name__", "plain_total")], &[]),
        ("special chars", &[("__name__", "m")], &[("trace_id", "a-b_c.d:1/2")]),
        ("unicode", &[("__name__", "m"), ("where", "🌍")], &[("trace_id", "痕跡")]),
    ];
    let mut cases: Vec<Case> = rows
        .iter()
        .map(|(name, labels, of)| {
            taken(
                format!("exemplar/{name}"),
                vec![Series::of(labels).sample(now(), 1.5).exemplar(of, 1.5, now())],
            )
        })
        .collect();
    let traced = |labels: Pairs<'_>, id: &str, ago_ms: i64| {
        Series::of(labels).sample(now() - ago_ms, 0.1).exemplar(
            &[("span_id", "s"), ("trace_id", id)],
            0.1,
            now() - ago_ms,
        )
    };
    let several = vec![
        traced(&[("__name__", "wait"), ("verb", "GET")], "one", 0),
        traced(&[("__name__", "wait"), ("verb", "PUT")], "two", 0),
        traced(&[("__name__", "errors"), ("app", "pay")], "three", 0),
    ];
    cases.push(taken("multiple exemplars", several));
    let times = [(3_600_000, "old"), (60_000, "recent"), (0, "current")];
    cases.push(taken(
        "exemplar timestamps",
        times.map(|(ago, id)| traced(&[("__name__", "wait")], id, ago)).into(),
    ));
    cases.push(refused("exemplar without name label", vec![traced(&[("job", "web")], "t", 0)], 0));
    cases.push(refused("exemplar with empty name", vec![traced(&[("__name__", "")], "t", 0)], 0));
    cases.push(taken("exemplar with valid name", vec![traced(&[("__name__", "valid")], "t", 0)]));
    let values = [0.0, -12.5, 1e10, 1e-10, NAN, f64::INFINITY, f64::NEG_INFINITY];
    cases.extend(values.map(|value| {
        let series = Series::named("m").sample(now(), value).exemplar(&[("trace_id", "t")], value, now());
        taken(format!("exemplar value {value}"), vec![series])
    }));
    cases
}

pub(crate) fn native_histograms() -> Vec<Case> {
    let rows = [
        ("basic", exponential(now(), true, true, true)),
        ("custom buckets", custom(now())),
        ("positive only", exponential(now(), true, false, true)),
        ("negative only", exponential(now(), false, true, false)),
        ("minimal", exponential(now(), false, false, true)),
        ("empty", exponential(now(), false, false, false)),
    ];
    let series = |name: &str| Series::of(&[("__name__", name), ("job", "web")]);
    let mut cases: Vec<Case> = rows
        .iter()
        .map(|(name, one)| taken(format!("histogram/{name}"), vec![series("size").histogram(one)]))
        .collect();
    let (one, two) = (exponential(now(), true, false, true), exponential(now(), false, true, false));
    cases.push(taken(
        "multiple histograms",
        vec![series("one").histogram(&one), series("two").histogram(&two)],
    ));
    let said = |of: Series| of.metadata(MetricType::Histogram, "How large.", "bytes");
    let traced = |of: Series| of.exemplar(&[("trace_id", "t")], 2.5, now());
    cases.push(taken("histogram with metadata", vec![said(series("size").histogram(&one))]));
    cases.push(taken("histogram with exemplar", vec![traced(series("size").histogram(&one))]));
    cases.push(taken("histogram with both", vec![said(traced(series("size").histogram(&one)))]));
    let both = vec![said(series("one").histogram(&one)), said(series("two").histogram(&two))];
    cases.push(taken("multiple histograms with metadata", both));
    cases.push(taken(
        "custom buckets with exemplar",
        vec![traced(series("custom").histogram(&custom(now())))],
    ));
    cases
}

pub(crate) fn metadata() -> Vec<Case> {
    let rows = [
        ("counter", MetricType::Counter, "How many hits.", "hits"),
        ("gauge", MetricType::Gauge, "How full.", "percent"),
        ("histogram", MetricType::Histogram, "How long.", "seconds"),
        ("no help no unit", MetricType::Counter, "", ""),
        ("special chars", MetricType::Gauge, "Two\nlines, \"quoted\".", "bytes/s"),
        ("unspecified type", MetricType::Unspecified, "Who knows.", ""),
        ("info", MetricType::Info, "Which build.", ""),
        ("stateset", MetricType::Stateset, "Which state.", ""),
        ("summary", MetricType::Summary, "How long.", "seconds"),
        ("gauge histogram", MetricType::Gaugehistogram, "How warm.", "celsius"),
    ];
    let data = |labels: Pairs<'_>, kind: MetricType| match kind {
        MetricType::Histogram => Series::of(labels).histogram(&exponential(now(), true, true, true)),
        _ => Series::of(labels).sample(now(), 1.0),
    };
    let mut cases: Vec<Case> = rows
        .iter()
        .map(|(name, kind, help, unit)| {
            let series = data(&[("__name__", "of_type")], *kind).metadata(*kind, help, unit);
            taken(format!("metadata/{name}"), vec![series])
        })
        .collect();
    let gauge = |name: &str| Series::of(&[("__name__", name), ("job", "web")]).sample(now(), 8.5);
    let said = |of: Series| of.metadata(MetricType::Gauge, "It helps.", "bytes");
    cases.push(taken("metadata with samples", vec![said(gauge("memory"))]));
    cases.push(taken("multiple metadata", ["cpu", "memory", "disk"].map(|name| said(gauge(name))).into()));
    let many: Pairs<'_> = &[
        ("__name__", "wait_seconds"),
        ("code", "200"),
        ("instance", "host:80"),
        ("job", "web"),
        ("path", "/a/b"),
        ("verb", "GET"),
    ];
    cases.push(taken("metadata with complex labels", vec![said(data(many, MetricType::Histogram))]));
    cases.push(refused(
        "metadata without name label",
        vec![said(data(&[("job", "web")], MetricType::Gauge))],
        0,
    ));
    cases.push(refused(
        "metadata with empty name",
        vec![said(data(&[("__name__", "")], MetricType::Gauge))],
        0,
    ));
    cases.push(taken(
        "metadata with valid name",
        vec![said(data(&[("__name__", "valid")], MetricType::Gauge))],
    ));
    cases
}

pub(crate) fn combined() -> Vec<Case> {
    let series = |name: &str| Series::of(&[("__name__", name), ("job", "web")]);
    let full = |of: Series, kind| {
        of.metadata(kind, "It helps: äöü\n\"x\".", "s").exemplar(&[("trace_id", "t")], 1.0, now())
    };
    let native = |name: &str, negative| series(name).histogram(&exponential(now(), true, negative, true));
    let counter = |name: &str| series(name).sample(now(), 100.0);
    let (count, gauge, size) = (MetricType::Counter, MetricType::Gauge, MetricType::Histogram);
    let odd = Series::of(&[("__name__", "m"), ("env", "test🚀"), ("job", "a-b_c.d@e")]).sample(now(), 42.0);
    let many = |n: usize| Series::of(&[("__name__", &format!("m_{n}")), ("series", &n.to_string())]);
    vec![
        taken("samples with metadata and exemplars", vec![full(counter("hits_total"), count)]),
        taken("histograms with metadata and exemplars", vec![full(native("size", true), size)]),
        taken(
            "complex samples",
            vec![full(counter("a"), gauge), counter("b").metadata(gauge, "B.", "bytes")],
        ),
        taken(
            "complex histograms",
            vec![full(native("a", false), size), native("b", true).metadata(size, "B.", "")],
        ),
        taken(
            "families of samples",
            vec![full(counter("hits_total"), count), counter("warmth").metadata(gauge, "", "")],
        ),
        taken("families of histograms", vec![full(native("size", false), size)]),
        taken(
            "mixed timestamps",
            vec![
                series("old").sample(now() - 3_600_000, 1.0).exemplar(
                    &[("trace_id", "o")],
                    1.0,
                    now() - 1_800_000,
                ),
                series("new").sample(now(), 2.0),
            ],
        ),
        taken("many samples", (0..50).map(|n| full(many(n).sample(now(), n as f64), count)).collect()),
        taken(
            "many histograms",
            (0..50)
                .map(|n| full(many(n).histogram(&exponential(now(), true, n % 2 == 0, true)), size))
                .collect(),
        ),
        taken("special characters", vec![full(odd, gauge)]),
    ]
}
