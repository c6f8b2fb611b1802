//! How a gate knows its own requests when they come back to it: the header `Via` (RFC 9110, section 7.6.3), to which each
//! proxy on the way adds itself.
//!
//! Without it an upstream that leads back to its gate would have each request make another, until nothing is left.

use hyper::HeaderMap;
use hyper::header::{HeaderValue, VIA};

/// What of a sender's `Via` goes on at most, bytes: a longer way than that is none.
const LONGEST: usize = 1024;

/// What one gate adds.
#[derive(Clone, Debug)]
pub struct Via(String);

impl Via {
    /// Of a process that drew this number.
    pub fn new(drawn: u64) -> Self {
        Self(format!("1.1 seriesgate-{:08x}", drawn as u32))
    }

    /// The way so far, and this gate.
    pub fn after(&self, way: Option<&HeaderValue>) -> HeaderValue {
        let way = way.and_then(|way| way.to_str().ok()).filter(|way| !way.is_empty());
        let all = way.map_or_else(|| self.0.clone(), |way| format!("{way}, {}", self.0));
        HeaderValue::try_from(all).unwrap_or(HeaderValue::from_static("1.1 seriesgate"))
    }

    /// Whether a request came through this gate before.
    pub fn is_in(&self, headers: &HeaderMap) -> bool {
        let values = headers.get_all(VIA).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|step| step.trim() == self.0)
    }
}

/// The way that a request came, as one value; `None` where it says none, or one that is too long.
pub fn way(headers: &HeaderMap) -> Option<HeaderValue> {
    let steps: Vec<&str> = headers.get_all(VIA).iter().filter_map(|value| value.to_str().ok()).collect();
    let way = steps.join(", ");
    (!way.is_empty() && way.len() <= LONGEST).then(|| HeaderValue::try_from(way).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&'static str]) -> HeaderMap {
        values.iter().map(|value| (VIA, HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_gate_finds_itself_on_any_way_that_it_was_on() {
        let (ours, theirs) = (Via::new(7), Via::new(8));
        let mut seen = headers(&["1.1 nginx", "2 envoy"]);
        assert!(!ours.is_in(&seen));
        for gate in [&ours, &theirs, &Via::new(9)] {
            let way = gate.after(way(&seen).as_ref());
            seen = HeaderMap::from_iter([(VIA, way)]);
        }
        let whole =
            "1.1 nginx, 2 envoy, 1.1 seriesgate-00000007, 1.1 seriesgate-00000008, 1.1 seriesgate-00000009";
        assert_eq!(seen[VIA], whole);
        assert!(ours.is_in(&seen) && theirs.is_in(&seen) && !Via::new(10).is_in(&seen));
        assert_eq!(ours.after(None), "1.1 seriesgate-00000007");
    }

    #[test]
    fn a_way_without_end_goes_no_further() {
        let long: &'static str = Box::leak("x".repeat(LONGEST).into_boxed_str());
        assert!(way(&headers(&[long])).is_some());
        assert_eq!(way(&headers(&[long, "y"])), None);
        assert_eq!(way(&HeaderMap::new()), None);
    }
}
