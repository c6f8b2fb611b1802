//! Recorded bodies: remote write 1.0 or 2.0, snappy, zstd or plain, told apart by what is in them.

use prost::Message;
use seriesgate_proto::{Exemplar, Histogram, Label, MetricMetadata, Sample, TimeSeries, WriteRequest, v2};

use crate::codec::{self, zstd::Decoder};
use crate::wire::v1::Fields;

/// What the top-level fields of a message say it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    V1,
    V2,
}

/// Reads a body into plain remote write 1.0. What comes as 1.0 keeps its bytes; of 2.0 the samples, histograms and
/// exemplars are kept, and the types of metrics; start timestamps are not.
///
/// # Errors
/// For a person, without the file's name.
pub(in crate::cli) fn read(file: &[u8], limit: usize) -> Result<Vec<u8>, String> {
    let mut decoded = Vec::new();
    // Plain protobuf can look like the start of snappy, but not decode to a message as well.
    let unpacked = codec::decode(&mut Decoder::default(), file, limit, &mut decoded).map(<[u8]>::to_vec);
    let (body, kind) = match unpacked.as_ref().ok().and_then(|body| Some((body.as_slice(), kind(body)?))) {
        Some(found) => found,
        None => match (kind(file), unpacked) {
            (Some(kind), _) => (file, kind),
            (None, Err(error)) => return Err(format!("neither text nor a remote-write body ({error})")),
            (None, Ok(_)) => {
                return Err("snappy or zstd, but what is in it is no remote-write request".into());
            }
        },
    };
    match kind {
        Kind::V1 => Ok(body.to_vec()),
        Kind::V2 => {
            let request = v2::Request::decode(body).map_err(|error| format!("remote write 2.0: {error}"))?;
            Ok(translated(&request)?.encode_to_vec())
        }
    }
}

fn kind(body: &[u8]) -> Option<Kind> {
    let mut kind = None;
    for field in Fields::new(body) {
        let number = body.get(field.ok()?.start)? >> 3;
        let this = match number {
            1 | 3 => Kind::V1,
            4 | 5 => Kind::V2,
            _ => continue,
        };
        if kind.is_some_and(|kind| kind != this) {
            return None;
        }
        kind = Some(this);
    }
    // an empty request is one of either
    if body.is_empty() { Some(Kind::V1) } else { kind }
}

fn translated(request: &v2::Request) -> Result<WriteRequest, String> {
    let symbols = &request.symbols;
    let mut timeseries = Vec::with_capacity(request.timeseries.len());
    let mut metadata: Vec<MetricMetadata> = Vec::new();
    for (number, series) in request.timeseries.iter().enumerate() {
        let of = |error: String| format!("remote write 2.0: series {number}: {error}");
        let labels = labels(symbols, &series.labels_refs).map_err(of)?;
        if let (Some(said), Some(name)) =
            (series.metadata, labels.iter().find(|label| label.name == "__name__"))
            && said.r#type != 0
            && metadata.last().is_none_or(|last| last.metric_family_name != name.value)
        {
            let metric_family_name = name.value.clone();
            metadata.push(MetricMetadata {
                r#type: said.r#type,
                metric_family_name,
                ..MetricMetadata::default()
            });
        }
        let samples =
            series.samples.iter().map(|s| Sample { value: s.value, timestamp: s.timestamp }).collect();
        let histograms = series.histograms.iter().map(histogram).collect::<Result<_, _>>().map_err(of)?;
        let exemplars = series.exemplars.iter().map(|exemplar| {
            let labels = self::labels(symbols, &exemplar.labels_refs)?;
            Ok(Exemplar { labels, value: exemplar.value, timestamp: exemplar.timestamp })
        });
        let exemplars = exemplars.collect::<Result<_, String>>().map_err(of)?;
        timeseries.push(TimeSeries { labels, samples, exemplars, histograms });
    }
    Ok(WriteRequest { metadata, ..WriteRequest::of(timeseries) })
}

/// The fields have the same numbers in both versions.
fn histogram(histogram: &v2::Histogram) -> Result<Histogram, String> {
    Histogram::decode(histogram.encode_to_vec().as_slice()).map_err(|error| error.to_string())
}

fn labels(symbols: &[String], refs: &[u32]) -> Result<Vec<Label>, String> {
    if !refs.len().is_multiple_of(2) {
        return Err(format!("{} label references, an odd number", refs.len()));
    }
    let symbol = |at: u32| {
        symbols
            .get(at as usize)
            .ok_or_else(|| format!("label reference {at}, but there are {} symbols", symbols.len()))
    };
    refs.chunks_exact(2).map(|pair| Ok(Label::new(symbol(pair[0])?, symbol(pair[1])?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v1() -> WriteRequest {
        let mut series = TimeSeries::named("up", &[("job", "api")]).with_sample(5, 1.5);
        series.histograms.push(Histogram {
            schema: -53,
            custom_values: vec![1.0],
            timestamp: 6,
            ..Histogram::default()
        });
        series.exemplars.push(Exemplar { labels: vec![Label::new("trace", "t")], value: 2.0, timestamp: 7 });
        WriteRequest::of(vec![series])
    }

    fn v2() -> v2::Request {
        let histogram = v2::Histogram {
            schema: -53,
            custom_values: vec![1.0],
            timestamp: 6,
            start_timestamp: 1,
            ..v2::Histogram::default()
        };
        v2::Request {
            symbols: ["", "__name__", "up", "job", "api", "trace", "t"].map(str::to_owned).into(),
            timeseries: vec![v2::TimeSeries {
                labels_refs: vec![1, 2, 3, 4],
                samples: vec![v2::Sample { value: 1.5, timestamp: 5, start_timestamp: 1 }],
                histograms: vec![histogram],
                exemplars: vec![v2::Exemplar { labels_refs: vec![5, 6], value: 2.0, timestamp: 7 }],
                ..v2::TimeSeries::default()
            }],
        }
    }

    #[test]
    fn each_version_packed_or_plain_is_the_same_request() {
        for plain in [v1().encode_to_vec(), v2().encode_to_vec()] {
            for file in [plain.clone(), seriesgate_proto::snappy(&plain)] {
                let body = read(&file, 1 << 20).unwrap();
                assert_eq!(WriteRequest::decode(body.as_slice()).unwrap(), v1());
            }
        }
        assert_eq!(read(&[], 1 << 20).unwrap(), Vec::<u8>::new());
        assert_eq!(read(&seriesgate_proto::snappy(&[]), 1 << 20).unwrap(), Vec::<u8>::new());
    }

    #[test]
    fn what_is_no_request_is_named() {
        let mut odd = v2();
        odd.timeseries[0].labels_refs.push(1);
        let mut beyond = v2();
        beyond.timeseries[0].exemplars[0].labels_refs = vec![5, 9];
        let mixed = [v1().encode_to_vec(), v2().encode_to_vec()].concat();
        for (file, told) in [
            (odd.encode_to_vec(), "series 0: 5 label references, an odd number"),
            (beyond.encode_to_vec(), "series 0: label reference 9, but there are 7 symbols"),
            (seriesgate_proto::snappy(b"\xff\xff"), "no remote-write request"),
            (b"\x89PNG\r\n".to_vec(), "neither text nor"),
            (mixed, "neither text nor"),
        ] {
            let error = read(&file, 1 << 20).unwrap_err();
            assert!(error.contains(told), "{error}");
        }
    }
}
