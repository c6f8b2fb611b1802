//! Numbers and texts of a snapshot: little-endian, texts with their length in front.

use super::error::SnapshotError;
use crate::series::Fingerprint;

/// Appends.
pub(crate) trait Put {
    fn put_u32(&mut self, value: u32);
    fn put_u64(&mut self, value: u64);
    fn put_bytes(&mut self, bytes: &[u8]);

    fn put_i64(&mut self, value: i64) {
        self.put_u64(value as u64);
    }

    fn put_series(&mut self, series: Fingerprint) {
        self.put_u64(series.high);
        self.put_u32(series.low);
    }
}

impl Put for Vec<u8> {
    fn put_u32(&mut self, value: u32) {
        self.extend_from_slice(&value.to_le_bytes());
    }

    fn put_u64(&mut self, value: u64) {
        self.extend_from_slice(&value.to_le_bytes());
    }

    fn put_bytes(&mut self, bytes: &[u8]) {
        self.put_u32(bytes.len() as u32);
        self.extend_from_slice(bytes);
    }
}

/// Takes from the front.
pub(crate) struct Source<'b> {
    rest: &'b [u8],
}

impl<'b> Source<'b> {
    pub(crate) fn new(rest: &'b [u8]) -> Self {
        Self { rest }
    }

    pub(crate) fn len(&self) -> usize {
        self.rest.len()
    }

    fn take(&mut self, length: usize) -> Result<&'b [u8], SnapshotError> {
        let (taken, rest) =
            self.rest.split_at_checked(length).ok_or(SnapshotError::Damaged("it ends too early"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], SnapshotError> {
        Ok(self.take(N)?.try_into().unwrap_or([0; N]))
    }

    pub(crate) fn u8(&mut self) -> Result<u8, SnapshotError> {
        Ok(self.array::<1>()?[0])
    }

    pub(crate) fn u32(&mut self) -> Result<u32, SnapshotError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, SnapshotError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub(crate) fn i64(&mut self) -> Result<i64, SnapshotError> {
        Ok(self.u64()? as i64)
    }

    /// A time, Unix milliseconds, or one that stands for none: `i64::MIN` or `i64::MAX`. No other is so large that something cannot be
    /// added to it.
    pub(crate) fn time(&mut self) -> Result<i64, SnapshotError> {
        const LARGEST_MS: i64 = 1 << 53;
        let ms = self.i64()?;
        Ok(if matches!(ms, i64::MIN | i64::MAX) { ms } else { ms.clamp(-LARGEST_MS, LARGEST_MS) })
    }

    pub(crate) fn series(&mut self) -> Result<Fingerprint, SnapshotError> {
        Ok(Fingerprint { high: self.u64()?, low: self.u32()? })
    }

    pub(crate) fn bytes(&mut self) -> Result<&'b [u8], SnapshotError> {
        let length = self.u32()? as usize;
        self.take(length)
    }

    /// Bytes with a long length in front.
    pub(crate) fn bytes64(&mut self) -> Result<&'b [u8], SnapshotError> {
        let length =
            usize::try_from(self.u64()?).map_err(|_| SnapshotError::Damaged("a length out of range"))?;
        self.take(length)
    }

    pub(crate) fn text(&mut self) -> Result<&'b str, SnapshotError> {
        std::str::from_utf8(self.bytes()?).map_err(|_| SnapshotError::Damaged("a text that is not UTF-8"))
    }
}
