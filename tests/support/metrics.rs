//! A gate's own metrics, and the law they obey.

/// One reading of `/metrics`.
#[derive(Debug)]
pub(crate) struct Metrics(pub(crate) String);

impl Metrics {
    /// Lines that are series, as (name, labels with their braces or nothing, value).
    fn series(&self) -> impl Iterator<Item = (&str, &str, f64)> {
        self.0.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no value: {line}"));
            let at = series.find('{').unwrap_or(series.len());
            (&series[..at], &series[at..], value.parse().unwrap())
        })
    }

    /// The names of all metrics, those without a series included.
    pub(crate) fn names(&self) -> Vec<&str> {
        let types = self.0.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        types.filter_map(|line| line.split(' ').next()).collect()
    }

    /// The sum of a metric's series that have all of these labels.
    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let wanted: Vec<String> = labels.iter().map(|(key, value)| format!("{key}=\"{value}\"")).collect();
        let has_all = |text: &str| wanted.iter().all(|label| text.contains(label.as_str()));
        let found = self.series().filter(|(of, text, _)| *of == name && has_all(text));
        found.map(|(_, _, value)| value).sum()
    }

    /// Samples with this fate.
    pub(crate) fn fate(&self, fate: &str) -> f64 {
        self.sum("seriesgate_samples_total", &[("fate", fate)])
    }

    /// What was received of each kind of data, and the sum of its fates.
    fn balance(&self) -> [(&'static str, f64, f64); 3] {
        ["samples", "histograms", "exemplars"].map(|kind| {
            let sum = |name: String| {
                assert!(self.series().any(|(of, _, _)| of == name), "{name} is not exported:\n{}", self.0);
                self.sum(&name, &[])
            };
            (kind, sum(format!("seriesgate_{kind}_received_total")), sum(format!("seriesgate_{kind}_total")))
        })
    }

    /// Whether whatever was decoded has exactly one fate.
    pub(crate) fn is_conserved(&self) -> bool {
        self.balance().iter().all(|(_, received, fates)| received == fates)
    }

    /// Whatever was decoded has exactly one fate.
    pub(crate) fn assert_conserved(&self) {
        for (kind, received, fates) in self.balance() {
            assert_eq!(received, fates, "{kind} received and their fates differ:\n{}", self.0);
        }
    }
}
