//! Points as requests: encoded, in an order in which what belongs together stays together.

use std::sync::Arc;

use super::point::{Point, PointKind};
use crate::codec::snappy::{Gatherer, SnappyError};
use crate::codec::varint;

/// Points of one request at most, but for what must not be torn apart.
const MOST: usize = 5000;

/// Tag of `WriteRequest.timeseries`.
const SERIES_TAG: u8 = 0x0a;
/// Tag of `TimeSeries.samples`.
const SAMPLE_TAG: u8 = 0x12;
/// Tag of `Sample.value`.
const VALUE_TAG: u8 = 0x09;
/// Tag of `Sample.timestamp`.
const TIME_TAG: u8 = 0x10;

/// What goes out in one request.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Points, each series' in order of time.
    pub points: Vec<Point>,
}

impl Outgoing {
    /// Makes requests of points. Replicas are not mixed, and the buckets of a histogram are not torn apart.
    pub fn of(mut points: Vec<Point>) -> Vec<Self> {
        // stable: the points of a series stay in order
        points.sort_by_key(|point| (point.replica, point.kin));
        let mut requests = Vec::new();
        let mut rest = points.into_iter().peekable();
        while let Some(first) = rest.next() {
            let (replica, mut kin) = (first.replica, first.kin);
            let mut points = vec![first];
            while let Some(point) =
                rest.next_if(|next| next.replica == replica && (points.len() < MOST || next.kin == kin))
            {
                kin = point.kin;
                points.push(point);
            }
            requests.push(Self { points });
        }
        requests
    }

    /// The body of a remote write 1.0 request, compressed.
    ///
    /// # Errors
    /// If it is too large for that.
    pub fn encode(&self) -> Result<Vec<u8>, SnappyError> {
        let mut plain = Vec::with_capacity(self.points.len() * 256);
        // points of one series follow each other, if maybe with others of its histogram in between
        for series in self.points.chunk_by(|a, b| Arc::ptr_eq(&a.labels, &b.labels)) {
            put_series(series, &mut plain);
        }
        let mut gatherer = Gatherer::default();
        gatherer.start(plain.len());
        gatherer.push(&plain)?;
        Ok(gatherer.finish()?.to_vec())
    }

    /// How many points of gauges there are: what is lost for good if they are.
    pub fn gauges(&self) -> usize {
        self.points.iter().filter(|point| point.kind == PointKind::Gauge).count()
    }
}

fn put_series(points: &[Point], out: &mut Vec<u8>) {
    let Some(first) = points.first() else { return };
    let sample_len = |point: &Point| 1 + 8 + 1 + varint::len(point.ms as usize);
    let samples: usize = points.iter().map(|point| 2 + sample_len(point)).sum();
    out.push(SERIES_TAG);
    varint::put(out, first.labels.len() + samples);
    out.extend_from_slice(&first.labels);
    for point in points {
        out.extend_from_slice(&[SAMPLE_TAG, sample_len(point) as u8, VALUE_TAG]);
        out.extend_from_slice(&point.bits.to_le_bytes());
        out.push(TIME_TAG);
        varint::put(out, point.ms as usize);
    }
}
