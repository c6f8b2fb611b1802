//! Points that wait, as bytes.

use std::sync::Arc;

use crate::aggregate::point::{Point, PointKind};
use crate::record::SnapshotError;
use crate::record::{Put, Source};

pub(super) fn save(points: &[Point], out: &mut Vec<u8>) {
    out.put_u32(points.len() as u32);
    let mut last: Option<&Arc<[u8]>> = None;
    for point in points {
        let again = last.is_some_and(|last| Arc::ptr_eq(last, &point.labels));
        out.push(u8::from(again));
        if !again {
            out.put_bytes(&point.labels);
        }
        last = Some(&point.labels);
        out.put_u32(point.kin);
        out.put_u32(point.replica);
        out.put_i64(point.ms);
        out.put_u64(point.bits);
        out.push(point.kind as u8);
    }
}

/// # Errors
/// If the bytes are not those of points.
pub(super) fn restore(source: &mut Source<'_>) -> Result<Vec<Point>, SnapshotError> {
    let mut points = Vec::new();
    let mut labels: Arc<[u8]> = Arc::from([]);
    for _ in 0..source.u32()? {
        if source.u8()? == 0 {
            labels = Arc::from(source.bytes()?);
        }
        points.push(Point {
            labels: Arc::clone(&labels),
            kin: source.u32()?,
            replica: source.u32()?,
            ms: source.i64()?,
            bits: source.u64()?,
            kind: match source.u8()? {
                0 => PointKind::Cumulative,
                1 => PointKind::Start,
                2 => PointKind::Gauge,
                3 => PointKind::Stale,
                _ => return Err(SnapshotError::Damaged("a point of no known kind")),
            },
        });
    }
    Ok(points)
}
